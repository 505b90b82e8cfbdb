//! Laravel, as Debian packages it, under a small application of ours: `tests/apps/laravel`.
//!
//! It is set up and served as in production: migrated, its configuration, routes and views cached by Artisan, on
//! `ephpm php`. Then one cook logs in, writes recipes and has them cooked.

use std::fs;
use std::path::Path;

use crate::support::html::{form_fields, set_field};
use crate::support::wordpress::{Database, checkout};
use crate::support::{Client, Json, Multipart, Request, Response, copy_tree, png, wait_until};
use crate::{check_assets, check_holds, lay_out, multipart, php, server, stop};

/// Its libraries are of the year 2022: they are told nothing that newer versions of PHP only advise against.
const ERROR_REPORTING: &str = "E_ALL & ~E_DEPRECATED";

/// For Artisan to be asked for.
struct Project<'p> {
    path: &'p Path,
    include_path: &'p str,
}

impl Project<'_> {
    fn artisan(&self, arguments: &[&str]) -> String {
        let include_path = format!("include_path={}", self.include_path);
        let error_reporting = format!("error_reporting={ERROR_REPORTING}");
        let options = ["-d", &include_path, "-d", &error_reporting, "artisan"];
        php(self.path, &[&options, arguments].concat())
    }
}

#[test]
#[ignore = "make test-apps runs it"]
fn laravels_application_is_used() {
    let (directory, files) = lay_out("php-laravel-framework");
    let database = Database::start();
    let path = directory.path().join("project");
    copy_tree(&checkout("tests/apps/laravel"), &path, "").expect("a copy of the application");
    for name in ["bootstrap/cache", "storage/app/public", "storage/framework/sessions", "storage/framework/views"] {
        fs::create_dir_all(path.join(name)).expect("a new directory");
    }
    let socket = database.host().replace("localhost:", "");
    let environment = format!(
        "APP_KEY=base64:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\nDB_SOCKET={socket}\nDB_PASSWORD=wordpress\n"
    );
    directory.write("project/.env", environment);
    let include_path = format!(".:{}", files.join("usr/share/php").display());
    let project = Project { path: &path, include_path: &include_path };
    check_holds(&project.artisan(&["migrate", "--force"]), "create_tables");
    // Laravel's public files lie elsewhere, behind a symbolic link.
    check_holds(&project.artisan(&["storage:link"]), "have been created");
    for kind in ["config", "route", "view"] {
        check_holds(&project.artisan(&[&format!("{kind}:cache")]), "cached successfully");
    }
    check_holds(&project.artisan(&["route:list", "--columns=method,uri"]), "recipes/{recipe}/cook");

    let server =
        server(&path.join("public")).ini("include_path", &include_path).ini("error_reporting", ERROR_REPORTING).start();
    let mut client = server.client();
    check_holds(&client.get("/").expect(200).text(), "Nothing.");
    client.get("/recipes/7").expect(404);
    client.get("/.env").expect(404);
    log_in(&mut client);
    write_recipes(&mut client);
    check_holds(&client.get("/?page=2").expect(200).text(), "Page 2 of 2");
    check_holds(&client.get("/?q=brot").expect(200).text(), "Brot &amp; Käse");

    cook(&mut client, &[]);
    let mut cooked = || client.get("/recipes/1").text().contains("Cooked 1 times");
    wait_until(&mut cooked, "the job after the response was not done");
    cook(&mut client, &[("later", "1")]);
    check_holds(&project.artisan(&["queue:work", "--once"]), "Processed:");
    check_holds(&client.get("/recipes/1").expect(200).text(), "Cooked 2 times");

    check_files(&mut client);
    check_json(&mut server.client());
    let fields = form_fields(&client.get("/").expect(200).text(), "logout");
    client.follow(&Request::post("/logout").form(&fields)).expect(200);
    assert_eq!(client.get("/recipes/new").expect(302).header("Location"), Some(&*format!("{}/login", server.url())));
    stop(server);
}

fn log_in(client: &mut Client) {
    // Whoever is sent to the login gets back to where they wanted to be.
    let form = client.follow(&Request::get("/recipes/new")).expect(200).text();
    let mut fields = form_fields(&form, "login");
    set_field(&mut fields, "name", "koch");
    set_field(&mut fields, "password", "wrong");
    let refused = client.follow(&Request::post("/login").form(&fields).header("Referer", "/login"));
    let refused = refused.expect(200).text();
    check_holds(&refused, "Nobody has this name");
    check_holds(&refused, "value=\"koch\"");
    set_field(&mut fields, "password", "geheim");
    let inside = client.follow(&Request::post("/login").form(&fields)).expect(200).text();
    check_holds(&inside, "name=\"picture\"");
    check_holds(&inside, "Goodbye, koch");
    assert_eq!(check_assets(client, "/recipes/new", &inside), 1);
}

/// Three: with a picture, with a mistake at first, and without the token that each form has.
fn write_recipes(client: &mut Client) {
    let form = client.get("/recipes/new").expect(200).text();
    let fill = |title: &str, text: &str| {
        let mut fields = form_fields(&form, "recipe");
        set_field(&mut fields, "title", title);
        set_field(&mut fields, "text", text);
        multipart(&fields)
    };
    let send = |client: &mut Client, form: Multipart| -> Response {
        client.follow(&Request::post("/recipes").header("Referer", "/recipes/new").multipart(form)).expect(200)
    };
    let picture = png::picture(64, 48);
    let bread = fill("Brot & Käse", "Mehl, Wasser, <Salz>.").file("picture", "brot.png", "image/png", &picture);
    let bread = send(client, bread).text();
    check_holds(&bread, "<h1>Brot &amp; Käse</h1>");
    check_holds(&bread, "Written &amp; kept.");
    assert_eq!(check_assets(client, "/recipes/1", &bread), 2);

    let no_picture = fill("Brot & Käse", "").file("picture", "x.png", "image/png", b"no picture");
    let again = send(client, no_picture).text();
    for complaint in ["There has to be a text.", "This title is taken.", "The picture is no picture."] {
        check_holds(&again, complaint);
    }
    check_holds(&again, "value=\"Brot &amp; Käse\"");
    for title in ["Suppe", "Kuchen"] {
        check_holds(&send(client, fill(title, "Kochen.")).text(), &format!("<h1>{title}</h1>"));
    }
    let forged = Multipart::default().text("title", "Gift").text("text", "x");
    client.send(&Request::post("/recipes").multipart(forged)).expect(419);
}

fn cook(client: &mut Client, more: &[(&str, &str)]) {
    let mut fields = form_fields(&client.get("/recipes/1").expect(200).text(), "cook");
    for (name, value) in more {
        set_field(&mut fields, name, value);
    }
    client.send(&Request::post("/recipes/1/cook").form(&fields)).expect(302);
}

/// What scripts send as files, at once and piece by piece.
fn check_files(client: &mut Client) {
    let table = client.get("/recipes.csv").expect(200);
    assert_eq!(table.text(), "1,\"Brot & Käse\"\n2,Suppe\n3,Kuchen\n");
    let name = table.header("Content-Disposition").expect("the name of a file");
    assert!(
        name.starts_with("attachment;") && name.contains("filename*=utf-8''Rezepte%20f%C3%BCr%20alle.csv"),
        "{name}"
    );
    let picture = client.get("/recipes/1/picture").expect(200);
    assert_eq!((picture.media_type().as_str(), png::dimensions(&picture.content)), ("image/png", Some((64, 48))));
    let part = client.send(&Request::get("/recipes/1/picture").header("Range", "bytes=1-3")).expect(206);
    assert_eq!(part.text(), "PNG");
}

/// Methods other than a browser's, and errors for programs.
fn check_json(client: &mut Client) {
    let json = |method: &str, target: &str| Request::new(method, target).header("Accept", "application/json");
    let recipe = Json::parse(&client.send(&json("GET", "/api/recipes/2")).expect(200).text());
    assert_eq!((recipe["title"].as_str(), recipe["cooked"].as_number()), (Some("Suppe"), Some(0.0)));
    let change = json("PATCH", "/api/recipes/2").content("application/json", r#"{"title": "Eintopf"}"#);
    assert_eq!(Json::parse(&client.send(&change).expect(200).text())["title"].as_str(), Some("Eintopf"));
    let change = json("PATCH", "/api/recipes/2").content("application/json", r#"{"title": ""}"#);
    let refused = Json::parse(&client.send(&change).expect(422).text());
    assert_eq!(refused["errors"]["title"][0].as_str(), Some("There has to be a title."));
    assert!(client.send(&json("DELETE", "/api/recipes/2")).expect(204).content.is_empty());
    let gone = client.send(&json("GET", "/api/recipes/2")).expect(404);
    assert_eq!(gone.media_type(), "application/json");
    client.send(&json("PUT", "/api/recipes/1")).expect(405);
}
