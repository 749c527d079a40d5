//! Keys, certificates and tokens of one cluster.
//!
//! In: a directory. Out: [`Pki`]: a certificate authority, the API server's certificate, the key that signs service
//! account tokens, a token for each of the plane's own users, and the front proxy's certificate, with which the API
//! server vouches for users where it hands requests on. Read back when the directory has them already, so that a durable
//! cluster keeps its identity.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// Names and addresses by which Pods and people reach the API server.
const SERVER_NAMES: [&str; 6] = [
    "127.0.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "10.96.0.1",
];
/// Written last: a directory that has it has everything but, if it is older, the front proxy's files.
const TOKENS: &str = "tokens.csv";
/// The common name in the front proxy's certificate, as kubeadm has it.
pub(super) const FRONT_PROXY: &str = "front-proxy-client";
/// The front proxy's key, written last of its three files.
const FRONT_PROXY_KEY: &str = "front-proxy-client.key";

/// Keys or certificates could not be made, written or read.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A file cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A user of the plane itself. Each is an administrator; the names tell them apart in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// The person or test that owns the cluster.
    Admin,
    /// kube-controller-manager.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
    /// The simulated nodes.
    Nodes,
}

impl Identity {
    const ALL: [Self; 4] = [Self::Admin, Self::ControllerManager, Self::Scheduler, Self::Nodes];

    /// The user name that the API server sees.
    pub fn user(self) -> &'static str {
        match self {
            Self::Admin => "kubernetes-admin",
            Self::ControllerManager => "system:kube-controller-manager",
            Self::Scheduler => "system:kube-scheduler",
            Self::Nodes => "system:simulated-nodes",
        }
    }
}

/// The files of one cluster's identity, and its tokens.
#[derive(Debug, Clone)]
pub struct Pki {
    directory: PathBuf,
    tokens: Vec<String>,
}

impl Pki {
    /// Reads what `directory` holds, or fills it.
    pub fn open(directory: &Path) -> Result<Self, PkiError> {
        if !directory.join(TOKENS).is_file() {
            std::fs::create_dir_all(directory).map_err(at(directory))?;
            write_certificates(directory)?;
            write_tokens(directory)?;
        }
        if !directory.join(FRONT_PROXY_KEY).is_file() {
            write_front_proxy(directory)?;
        }
        let tokens = read(&directory.join(TOKENS))?;
        let tokens = tokens
            .lines()
            .filter_map(|line| line.split(',').next())
            .map(str::to_owned)
            .collect();
        Ok(Self {
            directory: directory.to_owned(),
            tokens,
        })
    }

    /// The path of one of its files: `ca.crt`, `apiserver.{crt,key}`, `service-account.{key,pub}`, `tokens.csv`,
    /// `front-proxy-ca.crt`, `front-proxy-client.{crt,key}`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The bearer token of a user of the plane.
    pub fn token(&self, identity: Identity) -> &str {
        let index = Identity::ALL.iter().position(|other| *other == identity);
        index
            .and_then(|index| self.tokens.get(index))
            .map_or("", String::as_str)
    }
}

fn write_certificates(directory: &Path) -> Result<(), PkiError> {
    let authority = authority("llm-operator local cluster")?;
    let names = SERVER_NAMES.map(str::to_owned).to_vec();
    let server = (names, "kube-apiserver", ExtendedKeyUsagePurpose::ServerAuth);
    let (server, server_key) = signed(server, &authority)?;
    let accounts = KeyPair::generate()?;
    write(&directory.join("ca.crt"), &authority.as_ref().pem())?;
    write(&directory.join("apiserver.crt"), &server)?;
    write(&directory.join("apiserver.key"), &server_key)?;
    write(&directory.join("service-account.key"), &accounts.serialize_pem())?;
    write(&directory.join("service-account.pub"), &accounts.public_key_pem())
}

/// An authority of its own: whoever has a certificate of it may speak for any user.
fn write_front_proxy(directory: &Path) -> Result<(), PkiError> {
    let authority = authority("llm-operator local front proxy")?;
    let client = (Vec::new(), FRONT_PROXY, ExtendedKeyUsagePurpose::ClientAuth);
    let (client, client_key) = signed(client, &authority)?;
    write(&directory.join("front-proxy-ca.crt"), &authority.as_ref().pem())?;
    write(&directory.join("front-proxy-client.crt"), &client)?;
    write(&directory.join(FRONT_PROXY_KEY), &client_key)
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, PkiError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A certificate with these host names, common name and purpose, and its key, both as PEM.
fn signed(
    (hosts, name, purpose): (Vec<String>, &str, ExtendedKeyUsagePurpose),
    authority: &CertifiedIssuer<'static, KeyPair>,
) -> Result<(String, String), PkiError> {
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn write_tokens(directory: &Path) -> Result<(), PkiError> {
    let mut lines = String::new();
    for identity in Identity::ALL {
        let user = identity.user();
        let token = random_token()?;
        lines.extend([&token, ",", user, ",", user, ",\"system:masters\"\n"]);
    }
    write(&directory.join(TOKENS), &lines)
}

fn random_token() -> Result<String, PkiError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0_u8; 16];
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(at(source))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

fn write(path: &Path, text: &str) -> Result<(), PkiError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(at(path))
}

fn read(path: &Path) -> Result<String, PkiError> {
    std::fs::read_to_string(path).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> PkiError + '_ {
    |source| PkiError::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, Pki};
    use crate::process::TemporaryDirectory;

    #[test]
    fn an_identity_is_kept_and_its_tokens_differ() {
        let directory = TemporaryDirectory::new("test").unwrap();
        let first = Pki::open(directory.path()).unwrap();
        let second = Pki::open(directory.path()).unwrap();
        assert_eq!(first.directory, second.directory);
        assert_eq!(first.token(Identity::Admin), second.token(Identity::Admin));
        assert_ne!(first.token(Identity::Admin), first.token(Identity::Nodes));
        assert_eq!(first.token(Identity::Admin).len(), 32);
    }

    #[test]
    fn an_identity_from_before_the_front_proxy_gets_its_files_and_keeps_the_rest() {
        let directory = TemporaryDirectory::new("test").unwrap();
        let first = Pki::open(directory.path()).unwrap();
        let authority = std::fs::read(first.file("ca.crt")).unwrap();
        std::fs::remove_file(first.file("front-proxy-client.key")).unwrap();
        let second = Pki::open(directory.path()).unwrap();
        assert!(second.file("front-proxy-client.key").is_file());
        assert_eq!(std::fs::read(second.file("ca.crt")).unwrap(), authority);
        assert_eq!(first.token(Identity::Admin), second.token(Identity::Admin));
        let kept = std::fs::read(second.file("front-proxy-client.key")).unwrap();
        let third = Pki::open(directory.path()).unwrap();
        assert_eq!(std::fs::read(third.file("front-proxy-client.key")).unwrap(), kept);
    }
}
