//! How a simulated container's surroundings reach the `engine-sim` program when a script in the container starts it:
//! a [`ProcessSpec`] in, environment variables out, and back. It must not start anything.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::filesystem::Filesystem;
use crate::journal::Journal;
use crate::process::{GpuSpec, ProcessSpec, Program};
use crate::speed::Speed;

/// The variable that carries everything but the arguments and the environment, as JSON.
pub const SANDBOX: &str = "ENGINE_SIM_SANDBOX";
/// GPUs when the program runs in a real container: `8xNVIDIA-H100-80GB-HBM3:80` (count, product, GiB each).
pub const GPUS: &str = "ENGINE_SIM_GPUS";
/// Speed-up in a real container: `LOAD` or `LOAD,GENERATE`, e.g. `10,1`.
pub const SPEED: &str = "ENGINE_SIM_SPEED";
/// Names under which the program plays another one: link them into a folder on the script's PATH.
pub const PROGRAM_NAMES: &[&str] = &[
    "ollama",
    "vllm",
    "local-ai",
    "deepspeed-mii",
    "tritonserver",
    "aws",
];

#[derive(Serialize, Deserialize)]
struct Sandbox {
    address: IpAddr,
    loopback: IpAddr,
    gpus: Vec<GpuSpec>,
    memory_limit: Option<u64>,
    files: Filesystem,
    host_name: String,
    speed: Speed,
    journal: Option<Journal>,
    fault_file: Option<PathBuf>,
}

/// A variable that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Not what [`environment_for`] wrote.
    #[error("{SANDBOX}: {0}")]
    Sandbox(#[from] serde_json::Error),
    /// Not `COUNTxPRODUCT:GIB`.
    #[error("{GPUS}: '{0}' is not COUNTxPRODUCT:GIB, e.g. 8xNVIDIA-H100-80GB-HBM3:80")]
    Gpus(String),
    /// Not one or two numbers.
    #[error("{SPEED}: '{0}' is not LOAD or LOAD,GENERATE, e.g. 10,1")]
    Speed(String),
}

/// The environment of a script (`sh -c …`) that runs as this process: its own variables and what the programs
/// named in [`PROGRAM_NAMES`] need to behave as in the container. PATH and shell are the caller's business.
pub fn environment_for(spec: &ProcessSpec) -> BTreeMap<String, String> {
    let sandbox = Sandbox {
        address: spec.address,
        loopback: spec.loopback,
        gpus: spec.gpus.clone(),
        memory_limit: spec.memory_limit,
        files: spec.files.clone(),
        host_name: spec.host_name.clone(),
        speed: spec.speed,
        journal: spec.journal.clone(),
        fault_file: spec.fault_file.clone(),
    };
    let mut env = spec.env.clone();
    // Plain data always has a JSON form.
    env.insert(
        SANDBOX.into(),
        serde_json::to_string(&sandbox).unwrap_or_default(),
    );
    env
}

/// The process that a program started with this environment is to play.
pub fn from_environment(
    program: Program,
    argv: Vec<String>,
    mut env: BTreeMap<String, String>,
) -> Result<ProcessSpec, SandboxError> {
    let sandbox = match env.remove(SANDBOX) {
        Some(json) => serde_json::from_str(&json)?,
        None => real_container(&env)?,
    };
    let Sandbox {
        address,
        loopback,
        gpus,
        memory_limit,
        files,
        host_name,
        speed,
        journal,
        fault_file,
    } = sandbox;
    Ok(ProcessSpec {
        program,
        argv,
        env,
        address,
        loopback,
        gpus,
        memory_limit,
        files,
        host_name,
        speed,
        journal,
        fault_file,
    })
}

/// A real container, or a shell: all interfaces, this machine's files; the kernel enforces memory.
fn real_container(env: &BTreeMap<String, String>) -> Result<Sandbox, SandboxError> {
    Ok(Sandbox {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        loopback: IpAddr::V4(Ipv4Addr::LOCALHOST),
        gpus: env.get(GPUS).map_or(Ok(Vec::new()), |word| gpus(word))?,
        memory_limit: None,
        files: Filesystem::default(),
        host_name: env.get("HOSTNAME").cloned().unwrap_or_default(),
        speed: env.get(SPEED).map_or(Ok(Speed::REAL), |word| speed(word))?,
        journal: None,
        fault_file: None,
    })
}

fn gpus(word: &str) -> Result<Vec<GpuSpec>, SandboxError> {
    let parse = || {
        let (count, rest) = word.split_once('x')?;
        let (product, gib) = rest.rsplit_once(':')?;
        let memory = gib.parse::<u64>().ok()?.checked_mul(1 << 30)?;
        let count = count.parse::<usize>().ok().filter(|count| *count <= 64)?;
        Some(vec![
            GpuSpec {
                product: product.to_owned(),
                memory
            };
            count
        ])
    };
    parse().ok_or_else(|| SandboxError::Gpus(word.to_owned()))
}

fn speed(word: &str) -> Result<Speed, SandboxError> {
    let (load, generate) = word.split_once(',').unwrap_or((word, "1"));
    match (load.trim().parse(), generate.trim().parse()) {
        (Ok(load), Ok(generate)) => Ok(Speed { load, generate }),
        _ => Err(SandboxError::Speed(word.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::{Mount, Root};
    use crate::journal::Owner;
    use crate::process::loopback_of;

    #[test]
    fn what_goes_into_the_environment_comes_out_again() {
        let address = "127.1.2.3".parse().unwrap();
        let mount = Mount {
            container_path: "/a b".into(),
            host_path: "/x=y".into(),
            read_only: true,
            capacity: Some(7),
        };
        let spec = ProcessSpec {
            program: Program::Ollama,
            argv: vec!["ollama".into(), "list".into()],
            env: BTreeMap::from([("HOME".into(), "/h".into())]),
            address,
            loopback: loopback_of(address),
            gpus: gpus("2xNVIDIA-L4:24").unwrap(),
            memory_limit: Some(1),
            files: Filesystem {
                mounts: vec![mount],
                root: Root::ReadOnly("/r".into()),
                user: 1000,
            },
            host_name: "pod".into(),
            speed: Speed::INSTANT,
            journal: Some(Journal {
                file: "/j".into(),
                owner: Owner::default(),
            }),
            fault_file: Some("/f".into()),
        };
        let back = from_environment(Program::Ollama, spec.argv.clone(), environment_for(&spec)).unwrap();
        assert_eq!(back, spec);
    }

    #[test]
    fn a_real_container_says_its_hardware_in_two_variables() {
        let env = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let spec =
            from_environment(Program::Vllm, Vec::new(), env(GPUS, "8xNVIDIA-H100-80GB-HBM3:80")).unwrap();
        assert_eq!((spec.gpus.len(), spec.gpus[0].memory), (8, 80 << 30));
        let spec = from_environment(Program::Vllm, Vec::new(), env(SPEED, "10")).unwrap();
        assert_eq!(spec.speed, Speed::loading(10.0));
        assert!(from_environment(Program::Vllm, Vec::new(), env(GPUS, "many")).is_err());
        assert!(from_environment(Program::Vllm, Vec::new(), env(SPEED, "fast")).is_err());
    }
}
