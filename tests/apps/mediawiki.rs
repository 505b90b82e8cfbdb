//! MediaWiki, as Debian packages it: installed by its own script on `ephpm php`, then read, written and searched.
//!
//! The document root is Debian's, whose entries are symbolic links out of it. Pages have addresses of their own
//! (`/wiki/Brot`), behind which there is no file.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::support::html::{form_fields, set_field, tags, unescape};
use crate::support::wordpress::Database;
use crate::support::{Client, Json, Multipart, Request, free_address, png, wait_until};
use crate::{check_assets, check_holds, lay_out, multipart, php, server, stop};

/// It is older than what PHP advises against by now.
const ERROR_REPORTING: &str = "E_ALL & ~E_DEPRECATED";

const USER: &str = "Koch";
const PASSWORD: &str = "ein langes Geheimnis";

/// What an administrator adds to what the installer has written.
const SETTINGS: &str = "
$wgArticlePath = '/wiki/$1';
$wgEnableUploads = true;
$wgShowExceptionDetails = true;
$wgUseImageMagick = false;
$wgJobRunRate = 0;
$wgGroupPermissions['*']['edit'] = false;
";

#[test]
#[ignore = "make test-apps runs it"]
fn mediawiki_is_installed_and_written() {
    let (_directory, files) = lay_out("mediawiki");
    let database = Database::start();
    let root = files.join("var/lib/mediawiki");
    let address = free_address();
    install(&files, &database, address);

    let server = server(&root).at(address).ini("error_reporting", ERROR_REPORTING).start();
    let mut client = server.client();
    let home = client.follow(&Request::get("/")).expect(200).text();
    check_holds(&home, "MediaWiki has been installed.");
    check_holds(&home, "<title>Küche</title>");
    assert!(check_assets(&mut client, "/wiki/Main_Page", &home) >= 3);
    check_load(&mut client, &home);
    client.get("/wiki/Nirgends").expect(404);

    log_in(&mut client);
    write(&mut client, "Brot", "== Zutaten ==\nMehl & Wasser, '''lange''' geknetet.\n\n[[Category:Rezepte]]");
    let page = server.client().get("/wiki/Brot").expect(200).text();
    check_holds(&page, "Mehl &amp; Wasser, <b>lange</b> geknetet.");
    // Lists are brought up to date after the response.
    let holds = |target: &str, part: &str| server.client().get(target).text().contains(part);
    wait_until(|| holds("/wiki/Category:Rezepte", "title=\"Brot\""), "the category never lists its page");
    wait_until(|| holds("/index.php?search=geknetet", "searchmatch"), "the search never finds the page");
    check_holds(&client.get("/index.php?title=Brot&action=history").expect(200).text(), USER);
    upload(&mut client);
    write(&mut client, "Brot", "Mit Bild: [[File:Brot.png|thumb|100px]]");
    check_picture(&mut server.client());
    check_programs(&mut server.client());

    // Whoever is not logged in reads.
    check_holds(&server.client().get("/index.php?title=Brot&action=edit").expect(200).text(), "View source");
    // What the requests have left to be done, as cron would have it done; the last of them may still be at its end.
    for said in ["htmlCacheUpdate Brot", "Job queue is empty"] {
        wait_until(|| php(&root, &["-d", "display_errors=0", "maintenance/runJobs.php"]).contains(said), said);
    }
    stop(server);
}

fn install(files: &Path, database: &Database, address: SocketAddr) {
    let root = files.join("var/lib/mediawiki");
    let config = files.join("etc/mediawiki");
    let host = format!("--dbserver={}", database.host());
    let server = format!("--server=http://{address}");
    let place = format!("--confpath={}", config.display());
    let password = format!("--pass={PASSWORD}");
    let told = php(
        &root,
        &[
            "maintenance/install.php",
            "--dbtype=mysql",
            &host,
            "--dbname=wordpress",
            "--dbuser=wordpress",
            "--dbpass=wordpress",
            &server,
            "--scriptpath=",
            &place,
            &password,
            "Küche",
            USER,
        ],
    );
    check_holds(&told, "MediaWiki has been successfully installed");
    let path = config.join("LocalSettings.php");
    let settings = fs::read_to_string(&path).expect("the file that the installer has written");
    fs::write(&path, settings + SETTINGS).expect("a file of our own");
}

/// Scripts and styles come from a script, which knows what a browser has already.
fn check_load(client: &mut Client, html: &str) {
    let links = tags(html, "link");
    let style = links.iter().find(|tag| tag.attribute("rel") == Some("stylesheet")).expect("a style sheet");
    let target = unescape(style.attribute("href").expect("an address"));
    let loaded = client.get(&target).expect(200);
    assert_eq!(loaded.media_type(), "text/css");
    let tag = loaded.header("ETag").expect("an entity tag").to_owned();
    client.send(&Request::get(&target).header("If-None-Match", &tag)).expect(304);
    let script = client.get("/load.php?modules=jquery&only=scripts&skin=vector&lang=de").expect(200);
    assert_eq!(script.media_type(), "text/javascript");
    check_holds(&script.text(), "jQuery");
}

fn log_in(client: &mut Client) {
    let target = "/wiki/Special:UserLogin";
    let mut fields = form_fields(&client.get(target).expect(200).text(), "userlogin");
    set_field(&mut fields, "wpName", USER);
    set_field(&mut fields, "wpPassword", "wrong");
    let refused = client.follow(&Request::post(target).form(&fields)).expect(200).text();
    check_holds(&refused, "Incorrect username or password entered.");
    let mut fields = form_fields(&refused, "userlogin");
    set_field(&mut fields, "wpPassword", PASSWORD);
    let inside = client.follow(&Request::post(target).form(&fields)).expect(200).text();
    check_holds(&inside, "Special:UserLogout");
}

fn write(client: &mut Client, title: &str, text: &str) {
    let target = format!("/index.php?title={title}&action=submit");
    let editor = client.get(&format!("/index.php?title={title}&action=edit")).expect(200).text();
    let mut fields = form_fields(&editor, "editform");
    set_field(&mut fields, "wpTextbox1", text);
    set_field(&mut fields, "wpSummary", "geändert");
    set_field(&mut fields, "wpSave", "Save");
    let saved = client.send(&Request::post(&target).multipart(multipart(&fields))).expect(302);
    let place = saved.header("Location").expect("the page").to_owned();
    assert!(place.ends_with(&format!("/wiki/{title}")), "{place}");
}

fn upload(client: &mut Client) {
    let form = client.get("/wiki/Special:Upload").expect(200).text();
    let mut fields = form_fields(&form, "mw-upload-form");
    set_field(&mut fields, "wpDestFile", "Brot.png");
    set_field(&mut fields, "wpUploadDescription", "Ein Brot.");
    set_field(&mut fields, "wpUpload", "Upload file");
    let form: Multipart = multipart(&fields).file("wpUploadFile", "brot.png", "image/png", &png::picture(640, 480));
    let page = client.follow(&Request::post("/wiki/Special:Upload").multipart(form)).expect(200).text();
    check_holds(&page, "Ein Brot.");
    check_holds(&page, "640 × 480 pixels");
}

/// The picture as it was sent, and the small one that MediaWiki has made of it.
fn check_picture(client: &mut Client) {
    let page = client.get("/wiki/Brot").expect(200).text();
    let images = tags(&page, "img");
    let source = images.iter().filter_map(|tag| tag.attribute("src")).find(|url| url.contains("/100px-Brot.png"));
    let small = source.expect("the small picture").to_owned();
    let picture = client.get(&small).expect(200);
    assert_eq!(picture.media_type(), "image/png");
    assert_eq!(png::dimensions(&picture.content), Some((100, 75)));
    let large = small.replace("/thumb/", "/").replace("/100px-Brot.png", "");
    assert_eq!(png::dimensions(&client.get(&large).expect(200).content), Some((640, 480)));
}

/// What is there for other programs; the second has a path behind the script.
fn check_programs(client: &mut Client) {
    let asked =
        client.get("/api.php?action=query&titles=Brot&prop=revisions&rvprop=comment&format=json&formatversion=2");
    let told = Json::parse(&asked.expect(200).text());
    assert_eq!(told["query"]["pages"][0]["revisions"][0]["comment"].as_str(), Some("geändert"), "{told:?}");
    let told = Json::parse(&client.get("/rest.php/v1/page/Brot").expect(200).text());
    assert_eq!(told["source"].as_str(), Some("Mit Bild: [[File:Brot.png|thumb|100px]]"));
    let feed = client.follow(&Request::get("/index.php?title=Special:RecentChanges&feed=atom")).expect(200);
    assert_eq!(feed.media_type(), "application/xml");
    check_holds(&feed.text(), "Brot");
}
