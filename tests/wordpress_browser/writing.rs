//! What an owner writes: categories, pictures, posts of several kinds.

use std::process::Command;

use crate::support::wordpress::checkout;
use crate::support::{Json, json, png};
use crate::{POST_PATH_END, POST_TITLE, SECRET_TITLE, Site};

impl Site {
    pub(crate) fn make_a_category(&mut self) {
        let owner = &mut self.owner;
        owner.open("/wp-admin/edit-tags.php?taxonomy=category");
        owner.fill("#tag-name", "Rezepte");
        owner.click("#submit");
        // The list grows without a page load: admin-ajax.php.
        owner.wait(
            "[...document.querySelectorAll('#the-list .row-title')].some(row => row.innerText.includes('Rezepte'))",
        );
    }

    pub(crate) fn upload_a_picture(&mut self) {
        let picture = self.directory.write("küche.png", png::picture(640, 480));
        let owner = &mut self.owner;
        owner.open("/wp-admin/upload.php?mode=grid");
        owner.click(".page-title-action");
        owner.write(".moxie-shim input[type=file]", picture.to_str().expect("a path in UTF-8"));
        let thumbnail = "document.querySelector('.attachments .attachment.save-ready .thumbnail img')";
        // Read by the browser, hence an image in the format that it says it is.
        owner.wait(&format!("{thumbnail}.naturalWidth > 0"));
        let source = owner.script(&format!("return {thumbnail}.getAttribute('src')"), &[]);
        let source = source.as_str().expect("an address");
        assert!(source.contains("-300x225.png"), "{source}");
        owner.screenshot("07-media");
        let details = owner.script("return wp.apiRequest({path: '/wp/v2/media'}).then(media => media[0])", &[]);
        assert_eq!(details["media_details"]["width"].as_number(), Some(640.0), "{details:?}");
        for (size, dimensions) in [("full", (640, 480)), ("thumbnail", (150, 150)), ("medium", (300, 225))] {
            let url = details["media_details"]["sizes"][size]["source_url"].as_str().expect("an address").to_owned();
            let target = self.client.resolve("/", &url);
            let response = self.client.get(&target).expect(200);
            assert_eq!(response.header("Content-Type"), Some("image/png"), "{target}");
            assert_eq!(png::dimensions(&response.content), Some(dimensions), "{target}");
        }
    }

    pub(crate) fn publish_a_post(&mut self) {
        let owner = &mut self.owner;
        owner.open("/wp-admin/post-new.php");
        owner.wait("window.wp && wp.data && wp.data.select('core/editor').getCurrentPostId()");
        // The tour that greets whoever is here for the first time.
        owner.click(".components-modal__header button");
        owner.wait("!document.querySelector('.components-modal__screen-overlay')");
        owner.enter_frame("iframe[name=editor-canvas]");
        owner.write(".wp-block-post-title", &format!("{POST_TITLE}\u{E007}"));
        // Whoever presses Enter is in a new paragraph.
        owner.wait("document.activeElement.dataset.type === 'core/paragraph'");
        owner.write(
            ".wp-block-paragraph",
            "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.\u{E007}/image",
        );
        owner.leave_frames();
        // The menu of blocks, of which an image is taken: from the media library.
        owner.click("//button[@role='option'][contains(., 'Image')]");
        owner.enter_frame("iframe[name=editor-canvas]");
        owner.click("//*[@data-type='core/image']//button[contains(., 'Media Library')]");
        owner.leave_frames();
        owner.click(".media-modal #menu-item-browse");
        // A list that is still being filled could forget what is chosen.
        owner.wait("!document.querySelector('.media-modal .spinner.is-active')");
        owner.click(".media-modal .attachment:not(.selected) .thumbnail");
        owner.wait("document.querySelector('.media-modal .attachment.selected')");
        owner.click(".media-modal .media-button-select:not([disabled])");
        owner.enter_frame("iframe[name=editor-canvas]");
        owner.wait("document.querySelector('[data-type=\"core/image\"] img').naturalWidth > 0");
        owner.leave_frames();
        owner.click(".edit-post-header__settings .editor-post-publish-button__button, .editor-header__settings .editor-post-publish-button__button");
        owner.screenshot("08-editor");
        // Where it belongs: the panel before publishing asks for it.
        owner.click("//button[contains(@class, 'components-panel__body-toggle')][contains(., 'category')]");
        owner.click("//*[contains(@class, 'editor-post-publish-panel')]//label[contains(., 'Rezepte')]");
        owner.click(".editor-post-publish-panel__header-publish-button button");
        owner.wait_for_text("is now live");
        owner.screenshot("09-published");
        let link = owner.wait("wp.data.select('core/editor').getPermalink()");
        self.post = self.client.resolve("/", link.as_str().expect("an address"));
        assert!(self.post.starts_with("/20") && self.post.ends_with(POST_PATH_END), "{}", self.post);
    }

    pub(crate) fn protect_a_post(&mut self) {
        let fields = format!(
            "{{title: {}, content: 'Das steht hier für Gäste.', status: 'publish', password: 'sesam öffne'}}",
            json::quote(SECRET_TITLE)
        );
        let target = self.create_post(&fields);
        let visitor = &mut self.visitor;
        visitor.open(&target);
        for (password, inside) in [("wrong", false), ("sesam öffne", true)] {
            visitor.fill("input[name=post_password]", password);
            visitor.click_away("input[name=Submit]");
            assert_eq!(visitor.target(), target);
            visitor.wait_for_text(SECRET_TITLE);
            let text = visitor.script("return document.body.innerText", &[]);
            assert_eq!(text.as_str().expect("text").contains("steht hier für Gäste"), inside, "{text:?}");
        }
        visitor.screenshot("14-password");
    }

    pub(crate) fn schedule_a_post(&mut self) {
        let tomorrow = "new Date(Date.now() + 86400000).toISOString().slice(0, 19)";
        self.create_post(&format!(
            "{{title: 'Morgen', content: 'Von selbst.', status: 'future', date_gmt: {tomorrow}}}"
        ));
        assert_eq!(self.status_of_tomorrow(), Json::String("future".to_owned()));
    }

    pub(crate) fn await_the_scheduled_post(&mut self) {
        self.visitor.open("/");
        let shown = self.visitor.script("return document.body.innerText.includes('Morgen')", &[]);
        assert_eq!(shown, Json::Bool(false));
        let script = checkout("tests/wordpress_browser/a-day-later.php");
        let command = Command::new(env!("CARGO_BIN_EXE_ephpm")).arg("php").args([&script, &self.root]).output();
        let output = command.expect("the program that is under test");
        assert!(output.status.success() && output.stdout == b"Morgen\n", "{output:?}");
        // Visits are WordPress's clock: one that comes when a task is due has WordPress call wp-cron.php, on this very
        // server, while it answers.
        self.visitor.wait(
            "fetch('/?' + Math.random(), {cache: 'no-store'}).then(response => response.text())
               .then(text => text.includes('Morgen'))",
        );
        assert_eq!(self.status_of_tomorrow(), Json::String("publish".to_owned()));
    }

    fn status_of_tomorrow(&mut self) -> Json {
        self.owner.open("/wp-admin/upload.php?mode=grid");
        let find = "wp.apiRequest({path: '/wp/v2/posts?search=Morgen&status=future,publish'})";
        self.owner.script(&format!("return {find}.then(posts => posts[0].status)"), &[])
    }

    /// Creates a post by the REST API, from a page of the administration; its path.
    fn create_post(&mut self, fields: &str) -> String {
        self.owner.open("/wp-admin/upload.php?mode=grid");
        let create = format!("wp.apiRequest({{path: '/wp/v2/posts', method: 'POST', data: {fields}}})");
        let link = self.owner.script(&format!("return {create}.then(post => post.link)"), &[]);
        self.client.resolve("/", link.as_str().unwrap_or_else(|| panic!("no address: {link:?}")))
    }
}
