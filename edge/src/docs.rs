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
pub fn swagger_page() -> Bytes {
    let page = Swagger::new(DOCUMENT).with_title(TITLE).html();
    // Its default is to have a server elsewhere validate the document.
    let page = page.replace(LAYOUT, &format!("{LAYOUT}\n        {OPTIONS}"));
    with_icon(&page).into()
}

const LAYOUT: &str = r#""layout": "BaseLayout","#;
const OPTIONS: &str =
    r#""validatorUrl": null, "persistAuthorization": true, "tryItOutEnabled": true,"#;

/// A page for reading.
pub fn redoc_page() -> Bytes {
    let page = Redoc::new(DOCUMENT).with_title(TITLE).html();
    // Its menu shows a picture from elsewhere, and has no option that does without.
    with_icon(&page.replace(LOGO, NO_PICTURE)).into()
}

/// The page with an icon of its own, so that browsers do not look for one.
fn with_icon(page: &str) -> String {
    page.replacen("<title>", &format!("<link rel=\"icon\" href=\"{ICON}\">\n    <title>"), 1)
}

const LOGO: &str = "https://cdn.redoc.ly/redoc/logo-mini.svg";
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'%3E\
                    %3Ccircle cx='.5' cy='.5' r='.4' fill='teal'/%3E%3C/svg%3E";
const NO_PICTURE: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E";

#[cfg(test)]
mod tests {
    #[test]
    fn the_pages_ask_nobody_else() {
        let page = String::from_utf8(super::swagger_page().to_vec()).unwrap();
        assert!(page.contains(super::OPTIONS));
        assert!(!page.contains("<script src") && !page.contains("rel=\"stylesheet\""));
        assert!(page.contains(super::ICON));
        let page = String::from_utf8(super::redoc_page().to_vec()).unwrap();
        assert!(page.contains("/openapi.json") && !page.contains("<script src"));
        assert!(page.contains(super::NO_PICTURE) && !page.contains("//cdn."));
    }
}
