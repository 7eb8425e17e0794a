//! The example `kv_server`, run as a child process and spoken to over ordinary sockets.
//!
//! The parts of it that need no server (parser, glob, store) are included here as modules and tested directly.

#[path = "kv_server/client.rs"]
mod client;
#[path = "kv_server/commands.rs"]
mod commands;
#[path = "support/example.rs"]
mod example;
#[path = "kv_server/expiry.rs"]
mod expiry;
#[path = "kv_server/lifecycle.rs"]
mod lifecycle;
#[path = "kv_server/limits.rs"]
mod limits;
#[path = "kv_server/parser.rs"]
mod parser;
#[path = "kv_server/parts.rs"]
mod parts;
#[path = "kv_server/protocol.rs"]
mod protocol;
#[path = "kv_server/server.rs"]
mod server;

// The example's modules call each other by these paths; what only its commands use counts as dead here.
#[path = "../examples/kv_server/buffer.rs"]
mod buffer;
#[path = "../examples/kv_server/glob.rs"]
mod glob;
#[path = "../examples/kv_server/inline.rs"]
mod inline;
#[path = "../examples/kv_server/number.rs"]
mod number;
#[allow(dead_code)]
#[path = "../examples/kv_server/resp.rs"]
mod resp;
#[allow(dead_code)]
#[path = "../examples/kv_server/shard.rs"]
mod shard;
#[allow(dead_code)]
#[path = "../examples/kv_server/store.rs"]
mod store;
