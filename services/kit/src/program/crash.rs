//! Where a test has the process die: between the steps of what must survive it. Nothing of it is in a release build.

/// Ends the process at once, as a kill does, when the variable `QS_CRASH_AT` names this point. `payment.asking:2` means
/// the second time that the point is passed.
#[inline]
pub fn crash_point(name: &str) {
    #[cfg(debug_assertions)]
    aim::pass_point(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// The point `process.step`, passed once the step is done.
#[inline]
pub fn crash_step(process: &str, step: &str) {
    #[cfg(debug_assertions)]
    aim::pass_point(&format!("{process}.{step}"));
    #[cfg(not(debug_assertions))]
    let _ = (process, step);
}

#[cfg(debug_assertions)]
mod aim {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    };

    struct Aim {
        point: String,
        /// Passes that are still to be survived, and the one that is not.
        left: AtomicU32,
    }

    static AIM: LazyLock<Option<Aim>> =
        LazyLock::new(|| parse_aim(&std::env::var("QS_CRASH_AT").ok()?));

    fn parse_aim(text: &str) -> Option<Aim> {
        let (point, pass) = text.split_once(':').unwrap_or((text, "1"));
        Some(Aim { point: point.to_owned(), left: AtomicU32::new(pass.parse().ok()?) })
    }

    pub fn pass_point(name: &str) {
        if let Some(aim) = AIM.as_ref().filter(|aim| aim.point == name)
            && aim.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            std::process::abort();
        }
    }
}
