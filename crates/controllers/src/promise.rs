//! A promise of latency or throughput, parsed.
//!
//! In: the block of a resource that states it. Out: a [`ScalingPlan`], or the fields that cannot be used. Pure.

use std::{ops::RangeInclusive, time::Duration};

use api::{ai_example_com::v1::Sla, nvidia_com::v1::DynamoSla, shared::ScalingSpec};
use serving::{
    field_error::FieldError,
    plan::{ATTAINMENT_PPM, Promise, ScalingPlan},
};

use crate::parsing::Errors;

/// Millionths of one percent's hundredth part: what "1 %" is.
const PPM_PER_PERCENT: f64 = 10_000.0;

/// Times without a request that may pass until a model stops: longer than two decisions, and no longer than a week.
const IDLE: RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_hours(168);

/// The block `scaling`; `least`: the resource's number of replicas.
///
/// # Errors
/// Fields that cannot be used.
pub fn scaling(spec: Option<&ScalingSpec>, least: i32) -> Result<Option<ScalingPlan>, Vec<FieldError>> {
    let Some(spec) = spec else { return Ok(None) };
    let words = Words {
        most: spec.max_replicas,
        time_to_first_token: spec.time_to_first_token.as_deref(),
        time_per_output_token: spec.time_per_output_token.as_deref(),
        output_tokens_per_second: spec.output_tokens_per_second,
        attainment: spec.attainment.as_deref(),
        idle_after: spec.idle_after.as_deref(),
    };
    words.parse(
        least,
        &Paths {
            most: "scaling.maxReplicas",
            time_to_first_token: "scaling.timeToFirstToken",
            time_per_output_token: "scaling.timePerOutputToken",
            output_tokens_per_second: "scaling.outputTokensPerSecond",
            attainment: "scaling.attainment",
            idle_after: "scaling.idleAfter",
        },
    )
}

/// The block `sla` of a `ModelDeployment`, `most` and `idle_after` beside it; `maxLatency` is the mean time per output token.
///
/// # Errors
/// Fields that cannot be used.
pub fn sla(
    spec: Option<&Sla>,
    least: i32,
    most: Option<i32>,
    idle_after: Option<&str>,
) -> Result<Option<ScalingPlan>, Vec<FieldError>> {
    let spec = spec.cloned().unwrap_or_default();
    let words = Words {
        most,
        time_to_first_token: spec.time_to_first_token.as_deref(),
        time_per_output_token: spec.max_latency.as_deref(),
        output_tokens_per_second: spec.min_throughput,
        attainment: spec.attainment.as_deref(),
        idle_after,
    };
    words.parse(
        least,
        &Paths {
            most: "maxReplicas",
            time_to_first_token: "sla.timeToFirstToken",
            time_per_output_token: "sla.maxLatency",
            output_tokens_per_second: "sla.minThroughput",
            attainment: "sla.attainment",
            idle_after: "idleAfter",
        },
    )
}

/// The block `sla` of a `DynamoGraphDeployment`, `most` and `idle_after` beside it; `max_latency_ms` is the mean time per output token.
///
/// # Errors
/// Fields that cannot be used.
pub fn dynamo_sla(
    spec: Option<&DynamoSla>,
    least: i32,
    most: Option<i32>,
    idle_after: Option<&str>,
) -> Result<Option<ScalingPlan>, Vec<FieldError>> {
    let spec = spec.cloned().unwrap_or_default();
    let latency = spec
        .max_latency_ms
        .map(|milliseconds| format!("{milliseconds}ms"));
    let words = Words {
        most,
        time_to_first_token: None,
        time_per_output_token: latency.as_deref(),
        output_tokens_per_second: spec.min_throughput,
        attainment: None,
        idle_after,
    };
    words.parse(
        least,
        &Paths {
            most: "max_replicas",
            time_to_first_token: "sla",
            time_per_output_token: "sla.max_latency_ms",
            output_tokens_per_second: "sla.min_throughput",
            attainment: "sla",
            idle_after: "idle_after",
        },
    )
}

/// The promise as written.
struct Words<'a> {
    most: Option<i32>,
    time_to_first_token: Option<&'a str>,
    time_per_output_token: Option<&'a str>,
    output_tokens_per_second: Option<i64>,
    attainment: Option<&'a str>,
    idle_after: Option<&'a str>,
}

/// Where each of them stands.
struct Paths {
    most: &'static str,
    time_to_first_token: &'static str,
    time_per_output_token: &'static str,
    output_tokens_per_second: &'static str,
    attainment: &'static str,
    idle_after: &'static str,
}

impl Words<'_> {
    fn parse(self, least: i32, paths: &Paths) -> Result<Option<ScalingPlan>, Vec<FieldError>> {
        let times = self.time_to_first_token.or(self.time_per_output_token);
        if times.is_none() && self.output_tokens_per_second.is_none() {
            // A block that is empty promises nothing.
            let Some(idle_after) = self.idle_after else {
                return Ok(None);
            };
            let message = format!("{idle_after:?} needs a promise beside it: a latency or a throughput");
            return Err(vec![FieldError::new(paths.idle_after, message)]);
        }
        let mut errors = Errors::default();
        let mut time = |text: Option<&str>, path| text.and_then(|text| errors.keep(duration(path, text)));
        let time_to_first_token = time(self.time_to_first_token, paths.time_to_first_token);
        let time_per_output_token = time(self.time_per_output_token, paths.time_per_output_token);
        let throughput = self.output_tokens_per_second;
        let throughput = throughput.and_then(|tokens| errors.keep(tokens_per_second(paths, tokens)));
        let attainment = self.attainment;
        let attainment = attainment.and_then(|text| errors.keep(share(paths.attainment, text)));
        let promise = Promise {
            time_to_first_token,
            time_per_output_token,
            output_tokens_per_second: throughput,
            attainment_ppm: attainment.unwrap_or(ATTAINMENT_PPM),
        };
        let idle_after = self.idle_after;
        let idle_after = idle_after.and_then(|text| errors.keep(idle_time(paths.idle_after, text)));
        let plan = errors.keep(ScalingPlan::new(least, self.most, paths.most, promise));
        let plan = plan.map(|plan| ScalingPlan { idle_after, ..plan });
        errors.finish(plan)
    }
}

fn tokens_per_second(paths: &Paths, tokens: i64) -> Result<u64, FieldError> {
    u64::try_from(tokens)
        .ok()
        .filter(|tokens| *tokens > 0)
        .ok_or_else(|| {
            let message = format!("{tokens} is no number of tokens per second; choose 1 or more");
            FieldError::new(paths.output_tokens_per_second, message)
        })
}

/// A time such as `100ms`, `1.5s` or `2m`.
///
/// # Errors
/// It is none, or not above zero.
pub fn duration(path: &str, text: &str) -> Result<Duration, FieldError> {
    let wrong = || {
        let message = format!("{text:?} is no time above zero; write it as 100ms, 1.5s or 2m");
        FieldError::new(path, message)
    };
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0)];
    let (number, unit) = units
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or_else(wrong)?;
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = number.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
    let time = Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())?;
    if time.is_zero() { Err(wrong()) } else { Ok(time) }
}

/// A time such as `15m`, `2h` or `90s`, from 30 seconds to a week.
fn idle_time(path: &str, text: &str) -> Result<Duration, FieldError> {
    let wrong = || {
        let message = format!("{text:?} is no time from 30s to 168h; write it as 15m or 2h");
        FieldError::new(path, message)
    };
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let (number, unit) = units
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or_else(wrong)?;
    let plain = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
    let time = Duration::from_secs(number.saturating_mul(unit));
    if IDLE.contains(&time) {
        Ok(time)
    } else {
        Err(wrong())
    }
}

/// A share such as `99%`, in millionths.
fn share(path: &str, text: &str) -> Result<u32, FieldError> {
    let wrong = || {
        let message = format!("{text:?} is no share of requests from 50% to 99.999%; write it as 99%");
        FieldError::new(path, message)
    };
    let number: f64 = text
        .strip_suffix('%')
        .and_then(|number| number.parse().ok())
        .ok_or_else(wrong)?;
    if !(50.0..100.0).contains(&number) {
        return Err(wrong());
    }
    // Between 500,000 and 1,000,000.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok((number * PPM_PER_PERCENT).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, milliseconds) in [
            ("100ms", Some(100)),
            ("1.5s", Some(1500)),
            ("2m", Some(120_000)),
            ("0ms", None),
            ("s", None),
            ("-1s", None),
            ("1e3s", None),
            ("100", None),
            ("1h", None),
            ("..s", None),
        ] {
            let time = duration("sla.maxLatency", text).ok();
            assert_eq!(time, milliseconds.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn idle_times_are_neither_short_nor_endless() {
        for (text, seconds) in [
            ("30s", Some(30)),
            ("15m", Some(900)),
            ("2h", Some(7200)),
            ("168h", Some(604_800)),
            ("29s", None),
            ("169h", None),
            ("1.5h", None),
            ("99999999999999999999h", None),
            ("9999999999999999999h", None),
            ("+5m", None),
            ("m", None),
            ("900", None),
            ("500ms", None),
        ] {
            let time = idle_time("scaling.idleAfter", text).ok();
            assert_eq!(time, seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn idle_times_stand_beside_a_promise() {
        let promised = Sla {
            max_latency: Some("100ms".into()),
            ..Sla::default()
        };
        let plan = sla(Some(&promised), 1, None, Some("15m")).unwrap().unwrap();
        assert_eq!(plan.idle_after, Some(Duration::from_mins(15)));
        let errors = [
            sla(None, 1, None, Some("15m")),
            dynamo_sla(None, 1, None, Some("15m")),
            scaling(
                Some(&ScalingSpec {
                    idle_after: Some("15m".into()),
                    ..ScalingSpec::default()
                }),
                1,
            ),
        ];
        let paths = errors.map(|one| one.unwrap_err()[0].path.clone());
        assert_eq!(paths, ["idleAfter", "idle_after", "scaling.idleAfter"]);
    }

    #[test]
    fn shares_are_percentages() {
        for (text, ppm) in [
            ("99%", Some(990_000)),
            ("99.5%", Some(995_000)),
            ("50%", Some(500_000)),
            ("100%", None),
            ("49%", None),
            ("0.99", None),
            ("NaN%", None),
        ] {
            assert_eq!(share("sla.attainment", text).ok(), ppm, "{text}");
        }
    }

    #[test]
    fn the_latency_of_the_documents_is_the_time_per_output_token() {
        let of_sla = sla(
            Some(&Sla {
                max_latency: Some("100ms".into()),
                ..Sla::default()
            }),
            4,
            None,
            None,
        )
        .unwrap()
        .unwrap();
        let of_dynamo = DynamoSla {
            max_latency_ms: Some(100),
            min_throughput: Some(50),
        };
        let of_dynamo = dynamo_sla(Some(&of_dynamo), 1, None, None).unwrap().unwrap();
        for plan in [of_sla, of_dynamo] {
            assert_eq!(
                plan.promise.time_per_output_token,
                Some(Duration::from_millis(100))
            );
            assert_eq!(plan.promise.time_to_first_token, None);
        }
        assert_eq!((of_sla.least, of_sla.most), (4, 16));
        assert_eq!(of_dynamo.promise.output_tokens_per_second, Some(50));
    }

    #[test]
    fn an_empty_block_promises_nothing() {
        assert_eq!(scaling(Some(&ScalingSpec::default()), 1), Ok(None));
    }

    #[test]
    fn every_wrong_field_is_named() {
        let spec = ScalingSpec {
            max_replicas: Some(1),
            time_to_first_token: Some("fast".into()),
            time_per_output_token: Some("0s".into()),
            output_tokens_per_second: Some(0),
            attainment: Some("all".into()),
            idle_after: Some("1s".into()),
        };
        let errors = scaling(Some(&spec), 2).unwrap_err();
        let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "scaling.timeToFirstToken",
                "scaling.timePerOutputToken",
                "scaling.outputTokensPerSecond",
                "scaling.attainment",
                "scaling.idleAfter",
                "scaling.maxReplicas"
            ]
        );
    }
}
