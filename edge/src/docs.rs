//! The pages that show the contracts to people: Swagger UI and ReDoc, whole in themselves, with nothing from elsewhere.

use aide::{redoc::Redoc, swagger::Swagger};
use bytes::Bytes;

const TITLE: &str = "QuickServe API";
const DOCUMENT: &str = "/openapi.json";

/// What the pages may do: their own inline scripts and styles, and calls to where they came from.
pub const POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; \
                          style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; \
                          worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'";

/// A page for trying calls out.
pub fn swagger() -> Bytes {
    let page = Swagger::new(DOCUMENT).with_title(TITLE).html();
    // Its default is to have a server elsewhere validate the document.
    page.replace(LAYOUT, &format!("{LAYOUT}\n        {OPTIONS}")).into()
}

const LAYOUT: &str = r#""layout": "BaseLayout","#;
const OPTIONS: &str =
    r#""validatorUrl": null, "persistAuthorization": true, "tryItOutEnabled": true,"#;

/// A page for reading.
pub fn redoc() -> Bytes {
    Redoc::new(DOCUMENT).with_title(TITLE).html().into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_pages_ask_nobody_else() {
        let page = String::from_utf8(super::swagger().to_vec()).unwrap();
        assert!(page.contains(super::OPTIONS));
        assert!(!page.contains("<script src") && !page.contains("<link"));
        let page = String::from_utf8(super::redoc().to_vec()).unwrap();
        assert!(page.contains("/openapi.json") && !page.contains("<script src"));
    }
}
