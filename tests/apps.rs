//! Applications other than WordPress, as Debian packages them: installed without a hand, then used a little.
//!
//! `make test-apps` runs these; they are apart from `make test` since they fetch some hundred megabytes of packages, once.
//! Which versions that are is the system's to say, so pages are looked at for what they must say in any version.

#![cfg(feature = "php")]

mod support;

#[path = "apps/laravel.rs"]
mod laravel;
#[path = "apps/mediawiki.rs"]
mod mediawiki;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::html::{between, form_fields, set_field, tags, unescape};
use support::wordpress::{Database, checkout};
use support::{Builder, Client, Json, Multipart, Request, Response, Server, TemporaryDirectory, copy_tree, png};

/// Lays a package of Debian's out in a directory of its own.
fn lay_out(package: &str) -> (TemporaryDirectory, PathBuf) {
    let directory = TemporaryDirectory::new(package);
    let files = directory.path().join("files");
    let status = Command::new(checkout("tests/apps/lay-out")).arg(package).arg(&files).status();
    assert!(status.expect("bash to run tests/apps/lay-out").success(), "its messages are above");
    (directory, files)
}

fn server(root: &Path) -> Builder {
    Server::builder(root).ini("display_errors", "0").ini("upload_max_filesize", "8M").ini("post_max_size", "8M")
}

/// What `ephpm php` says, which has to end well.
#[track_caller]
fn php(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ephpm"));
    let output = command.arg("php").args(arguments).current_dir(directory).stdin(Stdio::null()).output();
    let output = output.expect("the program that is under test");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {}\n{text}", output.status);
    text
}

/// The program ended well, and no script by a fatal error.
fn stop(server: Server) {
    let (status, log) = server.stop();
    assert!(status.success(), "{status}\n{log}");
    for complaint in ["PHP Fatal error", "PHP Parse error"] {
        assert!(!log.contains(complaint), "{complaint} in the log:\n{log}");
    }
}

#[track_caller]
fn check_holds(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in:\n{text}");
}

/// Style sheets, scripts and pictures of a page, from this server, with a media type that browsers accept.
#[track_caller]
fn check_assets(client: &mut Client, page: &str, html: &str) -> usize {
    let mut count = 0;
    for (name, attribute, expected) in
        [("link", "href", "text/css"), ("script", "src", "javascript"), ("img", "src", "image/")]
    {
        for tag in tags(html, name) {
            let style = name != "link" || tag.attribute("rel") == Some("stylesheet");
            let Some(url) = tag.attribute(attribute).filter(|url| style && !url.starts_with("data:")) else {
                continue;
            };
            let target = client.resolve(page, url);
            let response = client.get(&target).expect(200);
            assert!(response.media_type().contains(expected), "{target}: {:?}", response.headers);
            count += 1;
        }
    }
    count
}

#[test]
#[ignore = "make test-apps runs it"]
fn adminer_manages_a_database() {
    let (_directory, files) = lay_out("adminer");
    let database = Database::start();
    // The package's one compiled file; sessions and cookies, forms with tokens, much output by small pieces.
    let root = files.join("usr/share/adminer");
    let server = server(&root).start();
    let mut client = server.client();
    let page = client.get("/adminer.php").expect(200).text();
    check_holds(&page, "auth[driver]");
    for target in ["default.css", "functions.js", "favicon.ico"] {
        let response = client.get(&format!("/adminer.php?file={target}&version=4.8.1")).expect(200);
        assert!(!response.content.is_empty(), "{target}");
    }
    let host = database.host();
    let fields = [
        ("auth[driver]", "server"),
        ("auth[server]", &*host),
        ("auth[username]", "wordpress"),
        ("auth[password]", "wordpress"),
        ("auth[db]", "wordpress"),
    ];
    let refused =
        Request::post("/adminer.php").form(&[&fields[..3], &[("auth[password]", "wrong")], &fields[4..]].concat());
    check_holds(&client.follow(&refused).text(), "Access denied");
    let inside = client.follow(&Request::post("/adminer.php").form(&fields)).expect(200).text();
    check_holds(&inside, "value=\"Logout\"");
    let query = tags(&inside, "a").into_iter().filter_map(|tag| tag.attribute("href").map(str::to_owned));
    let query = query.into_iter().find(|link| link.ends_with("&sql=")).expect("a link to the SQL command");
    let query = client.resolve("/adminer.php", &query);
    let form = client.get(&query).expect(200).text();
    let mut fields = form_fields(&form, "form");
    set_field(&mut fields, "query", "CREATE TABLE dish (name VARCHAR(40)); INSERT INTO dish VALUES ('Käse'), ('Brot')");
    let done = client.send(&Request::post(&query).multipart(multipart(&fields))).expect(200).text();
    check_holds(&done, "2 rows affected");
    let select = query.replace("&sql=", "&select=dish");
    check_holds(&client.get(&select).expect(200).text(), "Käse");
    stop(server);
}

#[test]
#[ignore = "make test-apps runs it"]
fn phpmyadmin_manages_a_database() {
    let (directory, files) = lay_out("phpmyadmin");
    let database = Database::start();
    let socket = database.host().replace("localhost:", "");
    std::fs::create_dir_all(files.join("var/lib/phpmyadmin/tmp")).expect("a new directory");
    directory.write(
        "files/etc/phpmyadmin/conf.d/test.php",
        format!(
            "<?php\n$cfg['blowfish_secret'] = '0123456789abcdef0123456789abcdef';\n$cfg['Servers'][1]['auth_type'] = 'cookie';\n\
             $cfg['Servers'][1]['host'] = 'localhost';\n$cfg['Servers'][1]['socket'] = '{socket}';\n"
        ),
    );
    let server = server(&files.join("usr/share/phpmyadmin"))
        .ini("include_path", &format!(".:{}", files.join("usr/share/php").display()))
        .start();
    let mut client = server.client();
    let login = client.get("/").expect(200).text();
    assert!(check_assets(&mut client, "/", &login) > 10);
    let mut fields = form_fields(&login, "login_form");
    set_field(&mut fields, "pma_username", "wordpress");
    set_field(&mut fields, "pma_password", "wordpress");
    let inside = client.follow(&Request::post("/index.php?route=/").form(&fields)).expect(200).text();
    check_holds(&inside, "wordpress@localhost");
    let token = token_of(&inside);
    let sql = "CREATE TABLE dish (name VARCHAR(40)); INSERT INTO dish VALUES ('Käse'), ('Brot'); SELECT * FROM dish";
    let fields =
        [("db", "wordpress"), ("sql_query", sql), ("token", &token), ("ajax_request", "true"), ("server", "1")];
    let done = client.send(&Request::post("/index.php?route=/import").form(&fields)).expect(200);
    let done = Json::parse(&done.text());
    assert_eq!(done["success"], Json::Bool(true), "{done:?}");
    let target = "/index.php?route=/table/structure&db=wordpress&table=dish&server=1";
    check_holds(&client.get(target).expect(200).text(), "varchar(40)");
    let form = client.get("/index.php?route=/table/export&db=wordpress&table=dish&server=1").expect(200).text();
    let mut fields = form_fields(&form, "dump");
    set_field(&mut fields, "what", "csv");
    let export = client.send(&Request::post("/index.php?route=/export").form(&fields)).expect(200);
    let name = export.header("Content-Disposition").unwrap_or_else(|| panic!("no file: {}", export.text()));
    assert!(name.contains("dish.csv"), "{name}");
    assert_eq!(export.text(), "\"name\"\n\"Käse\"\n\"Brot\"\n");
    stop(server);
}

#[test]
#[ignore = "make test-apps runs it"]
fn dokuwiki_is_installed_and_written() {
    let (directory, files) = lay_out("dokuwiki");
    let root = files.join("usr/share/dokuwiki");
    // Debian's own set-up takes the place of the wizard, which finds its configuration elsewhere; the same as that asks for.
    let config = "<?php\n$conf['title'] = 'Wiki der Küche';\n$conf['useacl'] = 1;\n$conf['superuser'] = '@admin';\n\
        $conf['userewrite'] = 2;\n$conf['useslash'] = 1;\n$conf['disableactions'] = '';\n";
    directory.write("files/etc/dokuwiki/local.php", config);
    directory.write("files/var/lib/dokuwiki/acl/acl.auth.php", "# <?php exit()?>\n*\t@ALL\t1\n*\t@user\t16\n");
    // The hash of "geheim" as md5, which DokuWiki knows by its form.
    let user = "# <?php exit()?>\nkoch:e8636ea013e682faf61f56ce1cb1ab5c:Der Koch:koch@example.org:admin,user\n";
    directory.write("files/var/lib/dokuwiki/acl/users.auth.php", user);
    let server = server(&root).start();
    let mut client = server.client();
    // A path after the script: PATH_INFO.
    let home = client.get("/doku.php/start").expect(200).text();
    check_holds(&home, "Wiki der Küche");
    assert!(check_assets(&mut client, "/doku.php/start", &home) >= 3);
    check_holds(&client.follow(&Request::get("/")).expect(200).text(), "Wiki der Küche");

    let login = client.get("/doku.php/start?do=login").expect(200).text();
    let mut fields = form_fields(&login, "dw__login");
    set_field(&mut fields, "u", "koch");
    set_field(&mut fields, "p", "geheim");
    let inside = client.follow(&Request::post("/doku.php/start?do=login").form(&fields)).expect(200).text();
    check_holds(&inside, "Der Koch");

    let editor = client.get("/doku.php/rezepte/brot?do=edit").expect(200).text();
    let mut fields = form_fields(&editor, "dw__editform");
    set_field(&mut fields, "wikitext", "====== Brot ======\nMehl & Wasser, **lange** geknetet. {{brot.png}}");
    set_field(&mut fields, "do[save]", "Save");
    let saved = client.follow(&Request::post("/doku.php/rezepte/brot?do=edit").form(&fields)).expect(200).text();
    check_holds(&saved, "Mehl &amp; Wasser, <strong>lange</strong>");

    let token = between(&saved, "name=\"sectok\" value=\"", "\"").expect("a token").to_owned();
    let picture = png::picture(64, 48);
    let upload = Multipart::default().text("sectok", &token).text("ns", "rezepte").file(
        "qqfile",
        "brot.png",
        "image/png",
        &picture,
    );
    let target = "/lib/exe/ajax.php?call=mediaupload&qqfile=brot.png&ns=rezepte";
    let uploaded = client.send(&Request::post(target).multipart(upload)).expect(200).text();
    check_holds(&uploaded, "success");
    let fetched = server.client().get("/lib/exe/fetch.php/rezepte/brot.png").expect(200);
    assert_eq!(fetched.media_type(), "image/png");
    assert!(fetched.content == picture, "the bytes that were sent");
    let found = client.get("/doku.php?do=search&q=geknetet").expect(200).text();
    check_holds(&found, "rezepte");
    // Nobody outside may change anything.
    check_holds(&server.client().get("/doku.php/rezepte/brot?do=edit").text(), "readonly");
    stop(server);
}

#[test]
#[ignore = "make test-apps runs it"]
fn symfonys_kernel_answers() {
    let (directory, files) = lay_out("php-symfony-framework-bundle");
    let project = directory.path().join("project");
    copy_tree(&checkout("tests/apps/symfony"), &project, "").expect("a copy of the application");
    let server = server(&project.join("public"))
        .ini("include_path", &format!(".:{}", files.join("usr/share/php").display()))
        .ini("error_reporting", "E_ALL & ~E_DEPRECATED")
        .start();
    let mut client = server.client();
    // The first of these builds the container and the routes; the second finds them.
    for _ in 0..2 {
        let hello = client.get("/hello/Zo%C3%AB?x=1").expect(200);
        assert_eq!(hello.text(), "Hello Zoë by GET of /hello/Zo%C3%AB\n");
    }
    check_symfony_requests(&mut client);
    let form = Multipart::default().text("a[b][]", "1").text("a[b][]", "2").file("file", "é.bin", "x/y", &[7; 300_000]);
    let reply = Json::parse(&client.send(&Request::post("/form?q[]=1").multipart(form)).expect(200).text());
    assert_eq!(reply["fields"]["a"]["b"][1].as_str(), Some("2"));
    assert_eq!(reply["query"]["q"][0].as_str(), Some("1"));
    assert_eq!((reply["file"][0].as_str(), reply["file"][1].as_number()), (Some("é.bin"), Some(300_000.0)));
    assert_eq!(reply["address"].as_str(), Some("127.0.0.1"));
    assert_eq!(reply["url"].as_str(), Some(&*format!("{}/form?q%5B0%5D=1", server.url())));
    // After a response has been sent its script goes on; Symfony's kernel does its work for later there.
    client.get("/hello/late").expect(200);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while client.get("/told").text() != "told after the response" {
        assert!(std::time::Instant::now() < deadline, "nothing was written after the response");
    }
    stop(server);
}

fn check_symfony_requests(client: &mut Client) {
    let tag = client.get("/hello/tag").expect(200).header("ETag").expect("an entity tag").to_owned();
    client.send(&Request::get("/hello/tag").header("If-None-Match", &tag)).expect(304);
    assert!(client.send(&Request::head("/hello/tag")).expect(200).content.is_empty());
    check_holds(&client.send(&Request::new("DELETE", "/hello/x")).expect(200).text(), "by DELETE");
    for visit in 1..=3 {
        let response = client.get("/count").expect(200);
        assert_eq!(response.text(), format!("visit {visit}\n"));
        assert!(response.headers.all("Set-Cookie").any(|value| value.starts_with("seen=a%20b%3Bc")));
    }
    let lines: String = (1..=1000).map(|line| format!("line {line}\n")).collect();
    assert_eq!(client.get("/stream").expect(200).text(), lines);
    let whole = client.get("/file").expect(200);
    check_holds(&whole.text(), "final class Application");
    let part = client.send(&Request::get("/file").header("Range", "bytes=0-4")).expect(206);
    assert_eq!(part.text(), "<?php");
    assert_eq!(part.header("Content-Range"), Some(&*format!("bytes 0-4/{}", whole.content.len())));
    client.get("/forbidden").expect(403);
    client.get("/nowhere").expect(404);
    let moved: Response = client.get("/leave").expect(303);
    assert_eq!(moved.header("Location"), Some("/hello/again"));
    check_holds(&client.follow(&Request::get("/leave")).expect(200).text(), "Hello again");
}

/// A form with files as these applications have it, without a file.
fn multipart(fields: &[(String, String)]) -> Multipart {
    fields.iter().fold(Multipart::default(), |form, (name, value)| form.text(name, value))
}

/// The token of phpMyAdmin's forms.
#[track_caller]
fn token_of(html: &str) -> String {
    let token = tags(html, "input").into_iter().find(|tag| tag.attribute("name") == Some("token"));
    let token = token.and_then(|tag| tag.attribute("value").map(unescape));
    token.expect("a field with a token")
}
