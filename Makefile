# Two commands do everything: `make run` and `make test`. The rest is for those who work on ePHPm.

CARGO ?= cargo
LIBPHP := php-sys/libphp
WORDPRESS_DIR ?= $(or $(EPHPM_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ephpm)/wordpress/site

WORDPRESS_MYSQL_DIR ?= $(dir $(WORDPRESS_DIR))site-mysql

.PHONY: build release run test test-apps soak wordpress wordpress-mysql bench bench-wordpress bench-micro fuzz check packages libphp clean

# The server: target/release/ephpm.
build: libphp
	$(CARGO) build --release --locked

# The same as it is released and measured: PHP is compiled twice, the second time by what the first has counted while it
# served WordPress and the demo site. Takes the better part of an hour, once, and is no part of run and test.
release: build
release bench bench-wordpress: export PHP_PGO = 1

# The demo site on http://127.0.0.1:8080.
run: build
	target/release/ephpm ephpm.toml

# Every test.
test: libphp
	$(LIBPHP)/system-packages test browser
	$(CARGO) test --workspace --locked
	$(CARGO) check --manifest-path fuzz/Cargo.toml --locked

# Other applications, fetched as packages of Debian's.
test-apps: libphp
	$(LIBPHP)/system-packages test
	$(CARGO) test --locked --test apps -- --ignored

# Ten minutes of everything at once, of which `make test` does one; SOAK_SEED repeats a run.
SOAK_SECONDS ?= 600
soak: libphp
	SOAK_SECONDS=$(SOAK_SECONDS) $(CARGO) test --locked --test soak -- --nocapture

# A current WordPress with SQLite on http://127.0.0.1:8080; no database server is needed.
wordpress: build
	$(LIBPHP)/system-packages test
	tests/wordpress/site $(WORDPRESS_DIR)
	target/release/ephpm tests/wordpress/ephpm.toml --document-root $(WORDPRESS_DIR)/public

# The same with a MariaDB of its own, from the install wizard on, which asks for the database.
wordpress-mysql: build
	$(LIBPHP)/system-packages test
	tests/wordpress/serve-mysql $(WORDPRESS_MYSQL_DIR) target/release/ephpm

# Everything that is measured, on a machine that has nothing else to do: some 25 minutes once all is built. What of it fails
# does not keep the rest from being measured, but fails this. `benches/compare/run publish` then writes it into docs/.
BENCHES := compare keepalive lighttpd http2 wordpress rates waiting loops connections memory start floor bare syscalls
bench: build
	$(LIBPHP)/system-packages test bench
	failed=; for each in $(BENCHES); do \
		printf '\n== run %s\n' $$each; benches/compare/run $$each || failed="$$failed $$each"; \
	done; [ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

# Of that only pages of WordPress, on MariaDB, beside nginx + php-fpm.
bench-wordpress: build
	$(LIBPHP)/system-packages test bench
	benches/compare/run wordpress

# What parsing, routing, queueing and so on cost one by one; in a few seconds and less exactly with MICRO=--quick.
MICRO ?=
bench-micro:
	$(CARGO) bench --manifest-path benches/micro/Cargo.toml --target-dir target --locked -- $(MICRO)

# Each fuzz target for FUZZ_SECONDS (needs a nightly toolchain).
FUZZ_SECONDS ?= 60
fuzz:
	fuzz/run $(FUZZ_SECONDS)

# Formatting, lints, dependencies and the rules of the house. The list of known vulnerabilities lives on a server of its
# own and changes by the day, so it is the CI's to check: cargo deny check advisories.
check: libphp
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --no-default-features --all-targets --locked -- -D warnings
	command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --all-features check bans licenses sources
	$(CARGO) test --no-default-features --locked --test tidy
	for each in micro load; do \
		$(CARGO) fmt --manifest-path benches/$$each/Cargo.toml --check && \
		$(CARGO) clippy --manifest-path benches/$$each/Cargo.toml --target-dir target --all-targets --locked -- -D warnings \
			|| exit 1; \
	done
	$(CARGO) test --manifest-path benches/load/Cargo.toml --target-dir target --locked --quiet
	python3 -B benches/compare/tests.py

# libphp.a, built once per machine and kept in a cache outside the checkout; takes ten minutes or so.
libphp: packages
	$(if $(filter 1,$(PHP_PGO)),$(LIBPHP)/system-packages test)
	$(LIBPHP)/build >/dev/null

# What apt has to provide.
packages:
	$(LIBPHP)/system-packages build

clean:
	$(CARGO) clean
