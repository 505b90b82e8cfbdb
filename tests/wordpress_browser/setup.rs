//! From a document root without wp-config.php to a site with an owner and permalinks.

use std::fs;

use crate::{PASSWORD, SITE_TITLE, Site, USER};

impl Site {
    pub(crate) fn connect_the_database(&mut self) {
        let owner = &mut self.owner;
        owner.open("/");
        assert_eq!(owner.target(), "/wp-admin/setup-config.php");
        owner.wait_for_text("Before getting started");
        owner.screenshot("01-wizard");
        owner.click_away("//a[contains(., 'go!')]");
        // A wrong password first: the error comes from MariaDB itself.
        for (password, outcome) in [("wrong", "Error establishing a database connection"), ("wordpress", "All right")] {
            let host = self.database.host();
            for (field, value) in
                [("#dbname", "wordpress"), ("#uname", "wordpress"), ("#pwd", password), ("#dbhost", &host)]
            {
                owner.fill(field, value);
            }
            owner.screenshot("02-database");
            owner.click_away("input[type=submit]");
            owner.wait_for_text(outcome);
            if password == "wrong" {
                owner.open("/wp-admin/setup-config.php?step=1");
            }
        }
        // What an administrator of such a site would write: errors are logged, and scheduled tasks may follow each other.
        let path = self.root.join("wp-config.php");
        let config = fs::read_to_string(&path).expect("the file that the wizard has written");
        let wanted = "define( 'WP_DEBUG', false );";
        assert!(config.contains(wanted), "{config}");
        let better =
            "define( 'WP_DEBUG', true );\ndefine( 'WP_DEBUG_DISPLAY', false );\ndefine( 'WP_CRON_LOCK_TIMEOUT', 2 );";
        fs::write(&path, config.replace(wanted, better)).expect("a file of our own");
    }

    pub(crate) fn install(&mut self) {
        let owner = &mut self.owner;
        owner.click_away("//a[contains(., 'Run the installation')]");
        owner.fill("#weblog_title", SITE_TITLE);
        owner.fill("#user_login", USER);
        // The page proposes a password of its own as soon as its script runs.
        owner.wait("document.querySelector('#pass1').value");
        owner.fill("#pass1", PASSWORD);
        owner.fill("#admin_email", "owner@example.org");
        owner.screenshot("03-install");
        owner.click_away("#submit");
        owner.wait_for_text("Success!");
        owner.screenshot("04-installed");
        self.visitor.open("/");
        self.visitor.wait_for_text(SITE_TITLE);
    }

    pub(crate) fn log_in(&mut self) {
        let owner = &mut self.owner;
        owner.click_away("//a[contains(., 'Log In')]");
        for (password, user) in [("wrong", ""), (PASSWORD, USER)] {
            // The script that puts the cursor into the field would do so amidst the typing.
            owner.wait("document.readyState === 'complete' && document.activeElement.tagName === 'INPUT'");
            owner.fill("#user_login", USER);
            owner.fill("#user_pass", password);
            owner.click_away("#wp-submit");
            if user.is_empty() {
                owner.wait_for_text("is incorrect");
            }
        }
        assert_eq!(owner.target(), "/wp-admin/");
        owner.wait("document.title.includes('Dashboard')");
        owner.screenshot("05-dashboard");
    }

    pub(crate) fn choose_permalinks(&mut self) {
        let owner = &mut self.owner;
        owner.open("/wp-admin/options-permalink.php");
        let offered = "[...document.querySelectorAll('input[name=selection]')].map(input => input.value)";
        let offered = owner.script(&format!("return {offered}"), &[]);
        let offered: Vec<_> = offered.items().iter().filter_map(|value| value.as_str()).collect();
        assert!(offered.contains(&"/%year%/%monthnum%/%day%/%postname%/"), "{offered:?}");
        // What WordPress offers where it does not know the server, or knows that it cannot rewrite.
        assert!(offered.iter().all(|value| !value.contains("index.php")), "{offered:?}");
        assert!(!owner.script("return document.body.innerText", &[]).as_str().expect("text").contains("index.php"));
        owner.click("//label[contains(., 'Month and name')]");
        owner.screenshot("06-permalinks");
        owner.click_away("#submit");
        owner.wait_for_text("Permalink structure updated.");
    }
}
