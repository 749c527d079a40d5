//! What a process has cost so far, as the kernel counts it. In: a process id. Out: CPU seconds, memory.

/// Clock ticks per second of `/proc/<pid>/stat`; fixed by Linux' interface to user space.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU and memory of a process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// CPU seconds, user and system, of all its threads.
    pub cpu: f64,
    /// Highest resident memory so far, in MB of 10^6 bytes.
    pub peak_mb: f64,
    /// Resident memory now, in MB of 10^6 bytes.
    pub resident_mb: f64,
}

/// Reads the counters of a process that runs.
pub fn of(pid: u32) -> Result<Cost, String> {
    let read = |file: &str| {
        let path = format!("/proc/{pid}/{file}");
        std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    };
    let (stat, status) = (read("stat")?, read("status")?);
    Ok(Cost {
        cpu: cpu_seconds(&stat).ok_or_else(|| format!("/proc/{pid}/stat is not understood: {stat}"))?,
        peak_mb: megabytes(&status, "VmHWM:"),
        resident_mb: megabytes(&status, "VmRSS:"),
    })
}

/// Fields 14 and 15; the command in field 2 may hold blanks, and ends with the last parenthesis.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

fn megabytes(status: &str, field: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok());
    kib.map_or(0.0, |kib| f64::from(kib) * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_behind_odd_names() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 3 0 1";
        assert_eq!(cpu_seconds(stat), Some(1.75));
        let status = "Name:\ta\nVmHWM:\t   39063 kB\nVmRSS:\t   1000 kB\n";
        assert!((megabytes(status, "VmHWM:") - 40.0).abs() < 0.01);
    }

    #[test]
    fn this_process_costs_something() {
        let cost = of(std::process::id()).unwrap();
        assert!(cost.resident_mb > 1.0 && cost.peak_mb >= cost.resident_mb);
    }
}
