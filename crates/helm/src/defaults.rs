//! The values that a chart itself has: its `values.yaml`.
//!
//! In: a chart on our disk. Out: an object; an empty one when the chart has no such file. Blocks while it reads a few files.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::{HelmError, LocalChart};

/// More than any chart has; Helm itself refuses files above 5 MiB.
const LIMIT: u64 = 5 << 20;

/// Reads the chart's own values.
///
/// # Errors
/// The chart or its values cannot be read.
pub fn chart_defaults(chart: &LocalChart) -> Result<Value, HelmError> {
    let no_chart = |message: String| HelmError::NoChart {
        chart: format!("{} {}", chart.name, chart.version),
        message,
    };
    let text = values_file(&chart.path).map_err(|error| no_chart(format!("values.yaml: {error}")))?;
    let value: Value = match text.trim() {
        "" => Value::Null,
        text => serde_saphyr::from_str(text).map_err(|error| no_chart(format!("values.yaml: {error}")))?,
    };
    match value {
        Value::Null => Ok(Value::Object(serde_json::Map::new())),
        object @ Value::Object(_) => Ok(object),
        _ => Err(no_chart("values.yaml holds no object".to_owned())),
    }
}

fn values_file(path: &Path) -> io::Result<String> {
    if path.is_dir() {
        return match File::open(path.join("values.yaml")) {
            Ok(file) => text(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error),
        };
    }
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(path)?));
    for entry in archive.entries()? {
        let entry = entry?;
        if is_top_level_values(&entry.path()?) {
            return text(entry);
        }
    }
    Ok(String::new())
}

/// `<chart>/values.yaml`; those of subcharts lie deeper.
fn is_top_level_values(path: &Path) -> bool {
    let mut parts = path
        .components()
        .filter(|part| !matches!(part, std::path::Component::CurDir));
    let (_, file) = (parts.next(), parts.next());
    parts.next().is_none() && file.is_some_and(|file| file.as_os_str() == "values.yaml")
}

fn text(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    let read = from.take(LIMIT + 1).read_to_string(&mut text)?;
    if read as u64 > LIMIT {
        return Err(io::Error::other("larger than 5 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use flate2::{Compression, write::GzEncoder};
    use serde_json::json;

    use super::*;

    fn chart(path: PathBuf) -> LocalChart {
        LocalChart {
            path,
            name: "c".to_owned(),
            version: "1.0.0".to_owned(),
            digest: String::new(),
        }
    }

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("chart-defaults-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn an_archive_is_read_past_its_subcharts() {
        let path = scratch("archive").join("c.tgz");
        let mut archive =
            tar::Builder::new(GzEncoder::new(File::create(&path).unwrap(), Compression::fast()));
        for (name, content) in [
            ("c/charts/common/values.yaml", "wrong: true\n"),
            ("c/values.yaml", "a: {b: 1}\n"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            archive
                .append_data(&mut header, name, content.as_bytes())
                .unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap();
        assert_eq!(chart_defaults(&chart(path)).unwrap(), json!({"a": {"b": 1}}));
    }

    #[test]
    fn a_directory_may_have_none_or_only_comments() {
        let path = scratch("directory");
        assert_eq!(chart_defaults(&chart(path.clone())).unwrap(), json!({}));
        fs::write(path.join("values.yaml"), "# nothing\n").unwrap();
        assert_eq!(chart_defaults(&chart(path.clone())).unwrap(), json!({}));
        fs::write(path.join("values.yaml"), "- a\n").unwrap();
        let error = chart_defaults(&chart(path)).unwrap_err().to_string();
        assert!(
            error.contains("c 1.0.0") && error.contains("no object"),
            "{error}"
        );
    }
}
