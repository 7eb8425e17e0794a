//! The example `workloads`, run as a child process: what each workload computes it checks itself, so these tests read what
//! it prints. And what is measured beside it.

#[path = "workloads/beside_tokio.rs"]
mod beside_tokio;
#[path = "support/example.rs"]
mod example;
#[path = "workloads/measured.rs"]
mod measured;
#[path = "workloads/program.rs"]
mod program;
#[path = "workloads/servers.rs"]
mod servers;
#[path = "workloads/usage.rs"]
mod usage;
