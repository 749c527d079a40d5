//! `script/install_kind.sh` with a download that is a folder of this machine.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::root;

/// A mirror of kind's downloads, a place to install into, and programs that stand in front of the machine's.
struct Scene {
    folder: PathBuf,
}

impl Scene {
    /// A mirror with one release, whose checksum is as published or another.
    fn new(name: &str, honest: bool) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("install-kind-{}-{name}", std::process::id()));
        let release = folder.join("mirror/v9.9.9");
        std::fs::create_dir_all(&release).unwrap();
        let machine = std::env::consts::ARCH
            .replace("x86_64", "amd64")
            .replace("aarch64", "arm64");
        let file = format!("kind-{}-{machine}", std::env::consts::OS);
        std::fs::write(release.join(&file), "#!/bin/sh\necho kind v9.9.9 go1.26\n").unwrap();
        let sum = Command::new("sha256sum")
            .arg(release.join(&file))
            .output()
            .unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap();
        let sum = if honest {
            sum
        } else {
            sum.replace(|c: char| c.is_ascii_digit(), "0")
        };
        std::fs::write(release.join(format!("{file}.sha256sum")), sum).unwrap();
        Self { folder }
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.folder.join("programs").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Whether it worked, and what was said.
    fn run(&self, downloads: &str) -> (bool, String) {
        let path = format!(
            "{}:{}",
            self.folder.join("programs").display(),
            std::env::var("PATH").unwrap()
        );
        let output = Command::new(root().join("script/install_kind.sh"))
            .env("PATH", path)
            .env("KIND_VERSION", "v9.9.9")
            .env("KIND_INSTALL_DIR", self.installed().parent().unwrap())
            .env("KIND_DOWNLOADS", downloads)
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    fn mirror(&self) -> String {
        format!("file://{}", self.folder.join("mirror").display())
    }

    fn installed(&self) -> PathBuf {
        self.folder.join("bin/kind")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn version(kind: &Path) -> String {
    let output = Command::new(kind).arg("version").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Promises: S4-8
#[test]
fn a_release_is_downloaded_checked_and_installed_once() {
    let scene = Scene::new("once", true);
    let (worked, said) = scene.run(&scene.mirror());
    assert!(worked, "{said}");
    assert_eq!(version(&scene.installed()), "kind v9.9.9 go1.26\n");
    assert!(said.contains("not in your PATH"), "{said}");
    // The second time nothing is asked for: there is no mirror.
    let (worked, said) = scene.run("file:///nowhere");
    assert!(worked && said.contains("already"), "{said}");
}

#[test]
fn a_download_with_another_checksum_is_not_installed() {
    let scene = Scene::new("checksum", false);
    let (worked, said) = scene.run(&scene.mirror());
    assert!(!worked && said.contains("nothing was installed"), "{said}");
    assert!(!scene.installed().exists());
}

#[test]
fn what_cannot_be_downloaded_is_built() {
    let scene = Scene::new("built", true);
    scene.program(
        "go",
        r#"[ "$*" = "install sigs.k8s.io/kind@v9.9.9" ] || exit 3
printf '#!/bin/sh\necho kind v9.9.9 built\n' > "$GOBIN/kind" && chmod +x "$GOBIN/kind""#,
    );
    let (worked, said) = scene.run("file:///nowhere");
    assert!(worked, "{said}");
    assert_eq!(version(&scene.installed()), "kind v9.9.9 built\n");
}
