# truechimer: see README.md. Needs Go 1.26 and make; what else a target needs
# it installs (with apt, as root) or names in one line.

BOARD ?= vm-arm64
HTTP  ?= 127.0.0.1:8080
HTTPS ?= 127.0.0.1:8443

.PHONY: run sim image verify release flash ctl pins test test-browser screenshots corpus soak soak-reference campaign bench-update bench-reference bench-probe bench-page lint fuzz clean

run: ## the station image in QEMU, with a receiver, a pulse and servers to judge
	@go run ./image run -board $(BOARD) -http $(HTTP) -https $(HTTPS) -ctl .run/ctl

sim: ## the same process on this machine, with a simulated receiver, without QEMU
	@go run ./appliance -sim -http $(HTTP) -https $(HTTPS)

# EXTRA=import/path[,import/path] adds programs; DEV=1 a debug shell for the keys
# in ~/.ssh/*.pub, or in AUTHORIZED_KEYS=file. PACKAGES=dir has Debian packages, as
# a release keeps them, for an image that mirrors no longer have them for.
# VERSION=1.4.0 names it; UPDATES=dir is the repository that it updates from,
# UPDATE_URL=https://... where that is published, CHANNEL=stable: docs/publishing.md.
UPDATE_FLAGS = $(if $(VERSION),-version '$(VERSION)') $(if $(UPDATES),-update-repository '$(UPDATES)') \
	$(if $(UPDATE_URL),-update-url '$(UPDATE_URL)') $(if $(CHANNEL),-update-channel '$(CHANNEL)')

image: ## the image of a board: make image BOARD=rpi [EXTRA=...] [DEV=1] [PACKAGES=dir] [VERSION=...] [UPDATES=dir UPDATE_URL=...]
	@go run ./image build -board $(BOARD) -o out $(UPDATE_FLAGS) $(if $(PACKAGES),-packages '$(PACKAGES)') $(if $(EXTRA),-extra '$(EXTRA)') \
		$(if $(filter-out 0,$(DEV)),-dev $(if $(AUTHORIZED_KEYS),-authorized-keys '$(AUTHORIZED_KEYS)'))

verify: ## build an image anew and compare: make verify FILE=out/truechimer-rpi.img
	@go run ./image verify $(FILE)

release: ## everything that is published, into out/release: make release [URL=https://...] [VERSION=...] [UPDATES=dir UPDATE_URL=...]
	rm -rf out/release
	@go run ./image release -o out/release $(UPDATE_FLAGS) $(if $(URL),-url '$(URL)')

flash: ## write a card: make flash TO=/dev/sdX FILE=out/truechimer-rpi.img [CONFIG=file] [COUNT=n]
	@mkdir -p out && go build -o out/image ./image
	@$(if $(filter 0,$(shell id -u)),,sudo) out/image flash -to '$(TO)' $(if $(CONFIG),-config '$(CONFIG)') $(if $(COUNT),-count $(COUNT)) '$(FILE)'

ctl: ## one command to `make run`: make ctl CMD="gps off"
	@go run ./image ctl -ctl .run/ctl $(CMD)

pins: ## the newest Debian packages for images; review what it says before committing
	@go run ./image pins

test: ## every test, those that boot an image included
	go test -timeout 20m ./...

# Once it fetches axe-core from npm's registry.
test-browser: ## the page in a headless Chromium, as root: some minutes; needs chromium and npm
	go test -timeout 10m -count=1 -parallel 4 -tags browser ./appliance/browsertest

screenshots: ## the pictures in docs/
	go test -timeout 10m -count=1 -tags browser -v -run '^TestScreenshots' ./appliance/browsertest -shots '$(CURDIR)/docs'

corpus: ## what is decoded of gpsd's test logs against what gpsd made of them: make corpus DIR=...
	TRUECHIMER_CORPUS='$(abspath $(DIR))' go test -count=1 -v -tags corpus -run TestCorpus ./appliance

soak: ## bad slots on each loader, half an hour; updates, bad releases and power cuts, two hours; the page and the display of booted ones
	go test -timeout 4h -count=1 -tags soak -v -run 'TestTrials|TestCommit|TestUpdate|TestBadUpdates|TestPage|TestScreen' ./image

soak-reference: ## 30 simulated days of honest receivers, three kinds of pulse: minutes
	go test -timeout 60m -count=1 -tags soak -v -run TestHonestDays ./gpspps

# CAMPAIGN=1000000 takes a minute, CAMPAIGN_SEED=7 another course of things.
campaign: ## a station's own troubles against 100 right servers, 1e8 exchanges, and what is found of wrong ones, in tables: an hour on two cores
	go test -timeout 10h -count=1 -tags soak -v -run '^TestCampaign$$|^TestPower$$' ./monitor
	go test -timeout 10m -count=1 -tags soak -v -run TestBlameInNamespace ./monitor/probe

bench-update: ## what updates cost to fetch, for three kinds of change: minutes
	go test -timeout 60m -count=1 -tags bench -v -run TestUpdateSizes ./image

SECONDS ?= 100000
bench-reference: ## the reference beside real chronyds with the same noise, in one table: 108 minutes; SECONDS=15000 takes 20
	BENCH_SECONDS=$(SECONDS) go test -timeout 150m -count=1 -tags bench -v -run Reference ./gpspps/bench

bench-probe: ## exchanges beside beevik/ntp and a real chronyd, in one table, as root: 15 minutes; BENCH_RUNS=3 BENCH_SECONDS=8 takes 5
	go test -timeout 60m -count=1 -tags bench -v -run TestProbe ./monitor/probe/bench

bench-page: ## a day of 100 servers: how long the page takes, memory, bytes written to the card; as root, minutes
	go test -timeout 60m -count=1 -tags bench -v -run TestPageADay ./appliance

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "gofmt: run gofmt -w on these files"; exit 1; }
	go vet ./...
	GOOS=freebsd go vet ./appliance/... ./gpspps/... ./monitor/... ./boards/...
	go vet -tags soak,bench ./appliance ./image ./gpspps ./gpspps/bench ./monitor ./monitor/probe ./monitor/probe/bench
	go vet -tags updatetest,corpus,browser ./appliance/...
	go tool staticcheck ./...

FUZZTIME ?= 20s
fuzz: ## every fuzz target for FUZZTIME
	@go test -list '^Fuzz' ./... | awk '/^Fuzz/{f[n++]=$$1} /^ok/{for(i=0;i<n;i++)print $$2, f[i]; n=0}' | \
	while read pkg f; do echo "$$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg || exit 1; done

clean:
	rm -rf out .run
