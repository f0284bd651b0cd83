# The parts of .ci/run by name; "make" alone builds the command.
.PHONY: build install lint fuzz sim bench long test ci clean compat

build:
	go build -o quorate ./cmd/quorate

install lint fuzz sim bench long test:
	.ci/run $@

# All suites of other people's clients, in peace and under fire: an hour. It
# rewrites docs/compatibility.md; ".ci/run compat" is the short form.
compat:
	go run ./integration_test/compat

ci:
	.ci/run

clean:
	rm -f quorate
