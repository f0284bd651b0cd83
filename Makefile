# The parts of .ci/run by name; "make" alone builds the command.
.PHONY: build install lint fuzz sim bench long test ci clean

build:
	go build -o quorate ./cmd/quorate

install lint fuzz sim bench long test:
	.ci/run $@

ci:
	.ci/run

clean:
	rm -f quorate
