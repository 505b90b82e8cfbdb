//! A plugin and a theme that come as zip files, and an update of code that OPcache holds.

use crate::support::zip;
use crate::{SITE_TITLE, Site};

/// The plugin, in a version of its own: it prints that version at the foot of each page, from a file that it includes.
fn plugin(version: &str) -> Vec<u8> {
    let header = format!(
        "<?php\n/*\nPlugin Name: Footer Note\nVersion: {version}\nRequires at least: 6.0\n*/\n\
         require __DIR__ . '/inc/note.php';\nadd_action('wp_footer', 'footer_note');\n\
         add_action('wp_enqueue_scripts', function () {{\n\
         wp_enqueue_style('footer-note', plugins_url('note.css', __FILE__), [], '{version}');\n}});\n"
    );
    let note = format!("<?php\nfunction footer_note() {{ echo '<p class=\"footer-note\">note {version}</p>'; }}\n");
    zip::archive(&[
        ("footer-note/footer-note.php", &header),
        ("footer-note/inc/note.php", &note),
        ("footer-note/note.css", ".footer-note { letter-spacing: 3px }\n"),
    ])
}

/// A theme of the classic kind, with templates in PHP and settings of its own.
fn theme() -> Vec<u8> {
    let page = "<!DOCTYPE html>\n<html <?php language_attributes(); ?>>\n<head><meta charset=\"<?php bloginfo('charset'); ?>\">\
        <?php wp_head(); ?></head>\n<body <?php body_class(); ?>><?php wp_body_open(); ?>\n\
        <h1 class=\"site-title\"><?php bloginfo('name'); ?></h1><p class=\"slogan\"><?php bloginfo('description'); ?></p>\n\
        <?php while (have_posts()) { the_post(); the_title('<h2>', '</h2>'); the_content(); } ?>\n\
        <script src=\"<?php echo esc_url(get_template_directory_uri()); ?>/plain.js\"></script>\n\
        <?php wp_footer(); ?></body>\n</html>\n";
    let functions = "<?php\nadd_action('after_setup_theme', function () {\n\
        add_theme_support('title-tag');\nadd_theme_support('custom-background');\n});\n\
        add_action('wp_enqueue_scripts', function () { wp_enqueue_style('plain', get_stylesheet_uri()); });\n";
    zip::archive(&[
        ("plain/style.css", "/*\nTheme Name: Plain\nVersion: 1.0\n*/\n.site-title { color: rgb(1, 2, 3) }\n"),
        ("plain/index.php", page),
        ("plain/functions.php", functions),
        ("plain/plain.js", "document.documentElement.dataset.plain = 'ran';\n"),
    ])
}

impl Site {
    pub(crate) fn install_a_plugin(&mut self) {
        self.upload_plugin("1.0");
        self.owner.wait_for_text("Plugin installed successfully.");
        self.owner.click_away("//a[contains(., 'Activate Plugin')]");
        self.owner.wait_for_text("Plugin activated.");
        self.owner.screenshot("15-plugin");
        self.check_note("1.0");
        // Its files are in OPcache now, and the server never looks at them again unless it is told to.
        self.upload_plugin("2.0");
        self.owner.click_away("//a[contains(., 'Replace')]");
        self.owner.wait_for_text("Plugin updated successfully.");
        self.check_note("2.0");
    }

    pub(crate) fn install_a_theme(&mut self) {
        let archive = self.directory.write("plain.zip", theme());
        let owner = &mut self.owner;
        owner.open("/wp-admin/theme-install.php?browse=popular");
        owner.click(".upload-view-toggle");
        owner.write("#themezip", archive.to_str().expect("a path in UTF-8"));
        owner.click_away("#install-theme-submit");
        owner.wait_for_text("Theme installed successfully.");
        owner.click_away("//a[contains(., 'Activate')][contains(@class, 'activatelink')]");
        owner.wait_for_text("New theme activated.");
        owner.screenshot("16-theme");
        self.visitor.open("/");
        self.visitor.wait("getComputedStyle(document.querySelector('.site-title')).color === 'rgb(1, 2, 3)'");
        self.visitor.wait("document.documentElement.dataset.plain === 'ran'");
    }

    pub(crate) fn customize(&mut self) {
        let owner = &mut self.owner;
        owner.open("/wp-admin/customize.php");
        owner.wait("window.wp && wp.customize && wp.customize.previewer && wp.customize.state('previewerAlive').get()");
        owner.click("#accordion-section-title_tagline");
        // Once the section has slid in, the way back has the focus.
        owner.wait("document.activeElement.classList.contains('customize-section-back')");
        owner.fill("#customize-control-blogdescription input", "Mit Liebe gekocht");
        // The preview shows it before it is saved; its frame is a new one each time that it changes.
        owner.wait(
            "[...document.querySelectorAll('#customize-preview iframe')].some(frame =>
               frame.contentDocument.querySelector('.slogan').innerText === 'Mit Liebe gekocht')",
        );
        owner.screenshot("17-customizer");
        owner.click("#save");
        owner.wait("wp.customize.state('saved').get() && document.querySelector('#save').disabled");
        self.visitor.open("/");
        self.visitor.wait("document.querySelector('.slogan').innerText === 'Mit Liebe gekocht'");
        self.visitor.wait_for_text(SITE_TITLE);
        self.visitor.screenshot("18-own-theme");
    }

    fn upload_plugin(&mut self, version: &str) {
        let archive = self.directory.write("footer-note.zip", plugin(version));
        let owner = &mut self.owner;
        owner.open("/wp-admin/plugin-install.php?tab=upload");
        owner.write("#pluginzip", archive.to_str().expect("a path in UTF-8"));
        owner.click_away("#install-plugin-submit");
    }

    /// Both PHP and style sheet of the plugin are at work in this version.
    fn check_note(&mut self, version: &str) {
        self.visitor.open("/");
        let note = self.visitor.script("return document.querySelector('.footer-note').innerText", &[]);
        assert_eq!(note.as_str(), Some(&*format!("note {version}")));
        self.visitor.wait("getComputedStyle(document.querySelector('.footer-note')).letterSpacing === '3px'");
    }
}
