//! Panics end here: none passes the ABI, none takes a task's final event with it.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

thread_local! {
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The default hook prints to stderr and may look up symbols for a long time. This library has its
/// own copy of Rust's, so the hook is nobody else's.
pub fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        set_hook(Box::new(|info| {
            let place = info.location().map_or(String::new(), |at| {
                let file = at.file().rsplit('/').next().unwrap_or_default();
                format!(" ({file}:{})", at.line())
            });
            let _ = PLACE.try_with(|it| *it.borrow_mut() = place);
        }))
    });
}

fn words(panic: Box<dyn Any + Send>) -> String {
    let what = panic
        .downcast_ref::<&str>()
        .map(|text| text.to_string())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    // What is thrown may panic itself when it is dropped.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
    let place = PLACE.try_with(|it| it.borrow().clone()).unwrap_or_default();
    format!("the plugin failed inside: {what}{place}").replace(['\n', '\r'], " ")
}

/// Runs `call`, or says what it panicked with.
pub fn run<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(words)
}

/// A future that ends with what it panicked with.
pub struct Guarded<F> {
    inner: Pin<Box<F>>,
}

impl<F: Future> Guarded<F> {
    pub fn new(future: F) -> Self {
        Guarded { inner: Box::pin(future) }
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match run(|| self.inner.as_mut().poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(text) => Poll::Ready(Err(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_a_text() {
        assert_eq!(run(|| 1), Ok(1));
        assert!(run(|| panic!("one")).unwrap_err().contains("one"));
        let future = async {
            if true {
                panic!("two\nlines")
            }
        };
        assert!(Guarded::new(future).await.unwrap_err().contains("two lines"));
    }
}
