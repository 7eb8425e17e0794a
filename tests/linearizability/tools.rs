//! The tools of the library, as a history names what they do.

use std::cell::RefCell;

use switchback::prelude::*;
use switchback::sync::{ChannelBuilder, MutexGuard, Permit, TryRecvError, TrySendError};

use crate::pipe::{self, Pipe};
use crate::play::Tool;
use crate::turns::{self, Turns};

thread_local! {
    /// What the handler of undelivered elements was given since it was last asked for. The handler is called by the
    /// thread that loses the element, inside the call that does.
    static LOST: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

fn lost() -> Vec<u32> {
    LOST.take()
}

#[derive(Debug)]
pub struct Channel {
    tx: Sender<u32>,
    rx: Receiver<u32>,
}

impl Channel {
    pub fn new(capacity: Capacity) -> Self {
        // What was left in the channel before this one.
        drop(lost());
        let (tx, rx) = ChannelBuilder::new(capacity)
            .on_undelivered_element(|element| LOST.with_borrow_mut(|lost| lost.push(element)))
            .build();
        Self { tx, rx }
    }

    fn send(&self, element: u32) -> pipe::Outcome {
        let Err(error) = self.tx.send(element) else {
            return pipe::Outcome::Sent { lost: lost() };
        };
        let is_closed = error.is_closed();
        let (kept, error) = error.into_parts();
        assert!(is_closed || error.is_cancelled(), "{error}");
        match kept {
            Some(kept) => {
                assert_eq!(kept, element, "somebody else's");
                if is_closed {
                    pipe::Outcome::Closed
                } else {
                    pipe::Outcome::Cancelled
                }
            }
            None => pipe::Outcome::Gone,
        }
    }
}

impl Tool for Channel {
    type Spec = Pipe;
    type Hands<'a> = ();

    fn perform(&self, (): &mut (), operation: &pipe::Operation) -> Option<pipe::Outcome> {
        use pipe::{Operation, Outcome};
        Some(match *operation {
            Operation::Send(element) => self.send(element),
            Operation::TrySend(element) => match self.tx.try_send(element) {
                Ok(()) => Outcome::Sent { lost: lost() },
                Err(TrySendError::Full(_)) => Outcome::Full,
                Err(TrySendError::Closed(..)) => Outcome::Closed,
            },
            Operation::Receive => match self.rx.recv_catching() {
                Ok(Ok(element)) => Outcome::Got(element),
                Ok(Err(_)) => Outcome::Closed,
                Err(error) => {
                    assert!(error.is_cancelled(), "{error}");
                    Outcome::Cancelled
                }
            },
            Operation::TryReceive => match self.rx.try_recv() {
                Ok(element) => Outcome::Got(element),
                Err(TryRecvError::Empty) => Outcome::Empty,
                Err(TryRecvError::Closed(_)) => Outcome::Closed,
            },
            Operation::Close => Outcome::Is(self.tx.close()),
            Operation::End => {
                self.rx.cancel();
                Outcome::Ended { lost: lost() }
            }
            Operation::IsClosedForSend => Outcome::Is(self.tx.is_closed_for_send()),
            Operation::IsClosedForReceive => Outcome::Is(self.rx.is_closed_for_receive()),
        })
    }

    fn farewell() -> Option<pipe::Operation> {
        None
    }
}

impl Tool for Mutex<()> {
    type Spec = Turns;
    type Hands<'a> = Option<MutexGuard<'a, ()>>;

    fn perform<'a>(
        &'a self,
        hands: &mut Self::Hands<'a>,
        operation: &turns::Operation,
    ) -> Option<turns::Outcome> {
        use turns::{Operation, Outcome};
        Some(match operation {
            Operation::Take => match self.lock() {
                Ok(guard) => {
                    *hands = Some(guard);
                    Outcome::Taken
                }
                Err(error) if error.is_cancelled() => Outcome::Cancelled,
                Err(_) => Outcome::HeldByOneself,
            },
            Operation::TryTake => match self.try_lock() {
                Some(guard) => {
                    *hands = Some(guard);
                    Outcome::Taken
                }
                None => Outcome::Busy,
            },
            Operation::GiveBack => {
                drop(hands.take()?);
                Outcome::GivenBack
            }
            Operation::Look => Outcome::Free(usize::from(!self.is_locked())),
        })
    }

    fn farewell() -> Option<turns::Operation> {
        Some(turns::Operation::GiveBack)
    }
}

impl Tool for Semaphore {
    type Spec = Turns;
    type Hands<'a> = Option<Permit<'a>>;

    fn perform<'a>(
        &'a self,
        hands: &mut Self::Hands<'a>,
        operation: &turns::Operation,
    ) -> Option<turns::Outcome> {
        use turns::{Operation, Outcome};
        match operation {
            // One each: else two could wait for each other.
            Operation::Take | Operation::TryTake if hands.is_some() => None,
            Operation::Take => match self.acquire() {
                Ok(permit) => {
                    *hands = Some(permit);
                    Some(Outcome::Taken)
                }
                Err(error) => {
                    assert!(error.is_cancelled(), "{error}");
                    Some(Outcome::Cancelled)
                }
            },
            Operation::TryTake => {
                *hands = self.try_acquire();
                Some(if hands.is_some() {
                    Outcome::Taken
                } else {
                    Outcome::Busy
                })
            }
            Operation::GiveBack => {
                drop(hands.take()?);
                Some(Outcome::GivenBack)
            }
            Operation::Look => Some(Outcome::Free(self.available_permits())),
        }
    }

    fn farewell() -> Option<turns::Operation> {
        Some(turns::Operation::GiveBack)
    }
}
