//! What WordPress says about the server, and screens on which it may say something.

use crate::Site;

/// Screens that no other step opens, one of each sort.
const SCREENS: &[&str] = &[
    "update-core.php",
    "edit.php",
    "themes.php",
    "theme-editor.php",
    "plugins.php",
    "plugin-editor.php",
    "plugin-install.php",
    "profile.php",
    "import.php",
    "options-general.php",
    "options-discussion.php",
    "site-editor.php?p=/pattern",
];

impl Site {
    /// For what they load and say on the console.
    pub(crate) fn visit_screens(&mut self) {
        for screen in SCREENS {
            self.owner.open(&format!("/wp-admin/{screen}"));
            assert!(self.owner.has("#wpadminbar, .edit-site"), "{screen}");
        }
    }

    pub(crate) fn check_health(&mut self) {
        let owner = &mut self.owner;
        owner.open("/wp-admin/site-health.php");
        // The last tests run one by one, by the REST API; the label says when they are done.
        owner.wait("!document.querySelector('.site-health-progress-wrapper').classList.contains('loading')");
        owner.screenshot("19-site-health");
        for level in ["critical", "recommended", "good"] {
            // An issue: its title, and what WordPress knows of it.
            let issues = owner.script(
                "return [...document.querySelectorAll('#health-check-issues-' + arguments[0] + ' h4')].map(heading => [
                   heading.querySelector('.title').textContent.trim(),
                   heading.nextElementSibling.textContent.trim().replace(/\\s+/g, ' ')])",
                &[level],
            );
            for issue in issues.items() {
                let (title, text) = (issue[0].as_str().expect("text"), issue[1].as_str().expect("text"));
                println!("Site Health, {level}: {title}");
                if level != "good" {
                    println!("    {text}");
                }
                let permitted = level != "critical" || self.allowed.permits("health", title);
                assert!(permitted, "a critical issue: {title}: {text}");
            }
        }
        owner.open("/wp-admin/site-health.php?tab=debug");
        let server =
            "[...document.querySelectorAll('#health-check-accordion-block-wp-server tr')].map(row => row.textContent)";
        let server = owner.script(&format!("return {server}"), &[]);
        let lines: Vec<_> = server.items().iter().filter_map(|line| line.as_str()).collect();
        let software = concat!("ePHPm/", env!("CARGO_PKG_VERSION"), " (nginx-compatible)");
        assert!(lines.iter().any(|line| line.contains("Web server") && line.contains(software)), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("PHP SAPI")), "{lines:?}");
        owner.screenshot("20-site-health-info");
    }
}
