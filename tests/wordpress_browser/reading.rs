//! What a visitor sees and does.

use crate::{POST_TITLE, SITE_TITLE, Site};

impl Site {
    pub(crate) fn read_the_post(&mut self) {
        let visitor = &mut self.visitor;
        visitor.open("/");
        visitor.screenshot("10-front");
        // The title's link, as a visitor follows it.
        visitor.click_away(&format!("//a[contains(., '{POST_TITLE}')]"));
        assert_eq!(visitor.target(), self.post);
        visitor.wait_for_text("Boxkämpfer jagen Viktor");
        visitor.wait("[...document.images].some(image => image.naturalWidth > 0 && image.src.includes('/uploads/'))");
        let broken = "return [...document.images].filter(image => !image.naturalWidth).map(image => image.src)";
        let broken = visitor.script(broken, &[]);
        assert!(broken.items().is_empty(), "{broken:?}");
        visitor.screenshot("11-post");
        // A style sheet has been applied, not only fetched.
        let family = visitor.script("return getComputedStyle(document.body).fontFamily", &[]);
        assert!(family.as_str().expect("text").contains("Manrope"), "{family:?}");
    }

    pub(crate) fn find_the_post(&mut self) {
        let visitor = &mut self.visitor;
        visitor.click_away("//a[contains(., 'Rezepte')]");
        assert_eq!(visitor.target(), "/category/rezepte/");
        visitor.wait_for_text(POST_TITLE);
        visitor.open("/?s=boxk%C3%A4mpfer");
        visitor.wait_for_text(POST_TITLE);
        visitor.screenshot("12-search");
        visitor.open("/no/such/post/");
        assert!(visitor.has("body.error404"));
        // The page for what is not there has a form to search with.
        visitor.fill("input[type=search]", "nirgends");
        visitor.click_away("button.wp-block-search__button");
        assert_eq!(visitor.target(), "/?s=nirgends");
        assert!(visitor.has("body.search-no-results"));
    }

    pub(crate) fn comment(&mut self) {
        let visitor = &mut self.visitor;
        visitor.open(&self.post);
        visitor.fill("#comment", "Noch ein Wort & <em>noch</em> eins.");
        visitor.fill("#author", "Zoë");
        visitor.fill("#email", "zoe@example.org");
        visitor.click_away("#commentform [type=submit]");
        visitor.wait_for_text("awaiting moderation");
        visitor.screenshot("13-comment");

        let owner = &mut self.owner;
        owner.open("/wp-admin/edit-comments.php?comment_status=moderated");
        owner.wait_for_text("Noch ein Wort");
        // The link shows when the pointer is over the row; it asks admin-ajax.php and a nonce proves who asks.
        owner.script("document.querySelector('.row-actions .approve a').click()", &[]);
        owner.wait("document.querySelector('#the-comment-list .no-items')");
        visitor.open(&self.post);
        visitor.wait("document.querySelector('.wp-block-comments em, .comment-content em').innerText === 'noch'");
        let text = visitor.script("return document.body.innerText", &[]);
        assert!(!text.as_str().expect("text").contains("awaiting moderation"));
    }

    pub(crate) fn subscribe(&mut self) {
        for (target, media_type, part) in [
            ("/feed/", "application/rss+xml", POST_TITLE),
            ("/category/rezepte/feed/", "application/rss+xml", POST_TITLE),
            ("/feed/atom/", "application/atom+xml", POST_TITLE),
            ("/comments/feed/", "application/rss+xml", "Zoë"),
            ("/wp-sitemap.xml", "application/xml", "/wp-sitemap-posts-post-1.xml"),
            ("/wp-sitemap-posts-post-1.xml", "application/xml", &*self.post),
            ("/wp-sitemap.xsl", "application/xml", "<xsl:stylesheet"),
            ("/robots.txt", "text/plain", "/wp-sitemap.xml"),
            ("/wp-json/", "application/json", "wp\\/v2"),
        ] {
            let response = self.client.get(target).expect(200);
            assert_eq!(response.media_type(), media_type, "{target}");
            let text = response.text();
            assert!(text.contains(part), "no {part:?} in {target}:\n{text}");
        }
        // A feed has what RFC 9110 section 13 needs, which readers ask with.
        let feed = self.client.get("/feed/").expect(200);
        let tag = feed.header("ETag").expect("an entity tag").to_owned();
        let request = crate::support::Request::get("/feed/").header("If-None-Match", &tag);
        self.client.send(&request).expect(304);
    }

    pub(crate) fn log_out(&mut self) {
        let owner = &mut self.owner;
        owner.open("/");
        owner.wait_for_text(SITE_TITLE);
        // The menu opens when the pointer is over it.
        let link = owner.script("return document.querySelector('#wp-admin-bar-logout a').href", &[]);
        let target = self.client.resolve("/", link.as_str().expect("an address"));
        owner.open(&target);
        owner.wait_for_text("You are now logged out.");
        owner.screenshot("21-logged-out");
        owner.open("/wp-admin/");
        assert!(owner.target().starts_with("/wp-login.php?redirect_to="), "{}", owner.target());
        owner.open("/");
        assert!(!owner.has("#wpadminbar"));
    }
}
