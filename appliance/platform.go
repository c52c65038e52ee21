package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/advice"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/logring"
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/bootfs"
)

// platform is what the process runs on: a station's image, or any machine.
type platform struct {
	station    bool // booted from our image: /gokrazy/init told us who we are
	id, name   string
	board      boards.Board
	slot       string
	bootDevice string // partition with the FAT that people edit
	state      string // raw state partition
	rootA      string // partition of slot a's root file system
	rootB      string // the same of slot b
	smbios     string // table in which a virtual machine's host may give a configuration
	perm       string // where the last good configuration is kept
	journal    string // where exchanges are kept, if not there
	root       string // directory of the root file system; empty: this one's
	alive      string // socket that takes signs of life; empty: none
	volatile   bool   // /perm is not on the card
	rescue     bool   // this slot runs because the committed one cannot be started
	safe       bool   // see safeNotice
	listen     string
	secure     string        // the same over TLS; empty: the page is not served so
	keep       string        // where the owner's password and the certificate are kept, if not in perm
	settings   string        // where those of a program are kept that are made on the page, see keeps; empty: nowhere
	build      time.Time     // no date before it is believed
	lines      *logring.Ring // the last lines of the log; nil: nobody keeps them
	debugShell bool          // the image has one: it is a builder's
}

// A station that init had to reset too often because it was silent is started in
// safe mode: it serves its page, configures its network, and does nothing else.
var safeNotice = advice.ByID(advice.SafeMode).Next

// oldestDate is the date that a process not built into an image believes to
// be past: this source's.
var oldestDate = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func detectPlatform() (*platform, error) {
	id := os.Getenv("TRUECHIMER_ID")
	if id == "" {
		return plainPlatform()
	}
	b, err := boards.ByName(os.Getenv("TRUECHIMER_BOARD"))
	if err != nil {
		return nil, err
	}
	p := &platform{
		station:    true,
		id:         id,
		name:       os.Getenv("TRUECHIMER_NAME"),
		board:      b,
		slot:       os.Getenv("TRUECHIMER_SLOT"),
		bootDevice: os.Getenv("TRUECHIMER_BOOT_DEVICE"),
		state:      os.Getenv("TRUECHIMER_STATE_DEVICE"),
		rootA:      os.Getenv("TRUECHIMER_ROOT_A_DEVICE"),
		rootB:      os.Getenv("TRUECHIMER_ROOT_B_DEVICE"),
		smbios:     config.TablePath,
		perm:       config.Dir,
		alive:      os.Getenv("TRUECHIMER_ALIVE"),
		volatile:   os.Getenv("TRUECHIMER_PERM_VOLATILE") != "",
		safe:       os.Getenv("TRUECHIMER_SAFE_MODE") != "",
		rescue:     os.Getenv("TRUECHIMER_RESCUE") != "",
		listen:     ":80",
		secure:     ":443",
		build:      oldestDate,
	}
	if text, err := os.ReadFile("/etc/truechimer/build"); err == nil {
		if t, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text))); err == nil {
			p.build = t
		}
	}
	if _, err := os.Stat("/etc/truechimer/dev"); err == nil {
		p.debugShell = true
	}
	return p, nil
}

// plainPlatform is any other machine. Its identity lasts as long as the process.
func plainPlatform() (*platform, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	var b [16]byte
	rand.Read(b[:]) // never fails: it ends the process instead
	return &platform{
		id: hex.EncodeToString(b[:]), name: host,
		board:  boards.Board{Name: "none", Title: "any machine"},
		listen: "127.0.0.1:8080", secure: "127.0.0.1:8443",
		build: oldestDate,
	}, nil
}

// loadConfig finds the configuration. On a station nothing that people or
// cards can do wrong stops it: it runs on the last good configuration, or on
// the defaults, and the notices say so.
func (p *platform) loadConfig(file string) (config.Config, []string, error) {
	if !p.station && file == "" {
		notices := p.reset(nil)
		l := config.Load(config.Sources{}, p.keeps())
		return l.Config, append(notices, l.Notices...), nil
	}
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return config.Config{}, nil, err
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, config.MaxSize+1)) // Parse refuses more
		if err != nil {
			return config.Config{}, nil, err
		}
		c, err := config.Parse(file, b)
		if err != nil || p.keeps() == "" {
			return c, nil, err
		}
		notices := p.reset(b)
		l := config.Load(config.Sources{Card: map[string][]byte{config.FileName: b}}, p.keeps())
		return l.Config, append(notices, l.Notices...), nil
	}
	if p.safe {
		// What is in the file may be the reason.
		return config.Default(), []string{safeNotice}, nil
	}
	var notices []string
	if p.debugShell {
		notices = append(notices, "This is a builder's image with a debug shell: not for use.")
	}
	if update.ShortPolicy {
		notices = append(notices, "This is a builder's image that hurries its updates: not for use.")
	}
	if p.rescue {
		notices = append(notices, "The newest system on the card cannot be started, so the one before it runs. The card may be failing: write it anew, or replace it.")
	}
	if p.volatile {
		notices = append(notices, "The card's storage cannot be used: settings and results are lost when the power goes. Replace the card when you can.")
	}
	card, told := p.readCard()
	notices = append(notices, told...)
	host, err := p.readSMBIOS()
	if err != nil {
		notices = append(notices, fmt.Sprintf("The host of this virtual machine may have given a configuration, which cannot be read: %v.", err))
	}
	own := card[config.FileName]
	if host != nil {
		own = host
	}
	notices = append(notices, p.reset(own)...)
	l := config.Load(config.Sources{Card: card, SMBIOS: host}, p.keeps())
	return l.Config, append(notices, l.Notices...), nil
}

// keeps is where settings are kept; empty: nothing can be.
func (p *platform) keeps() string {
	switch {
	case !p.station:
		return p.settings
	case p.volatile:
		return ""
	}
	return p.perm
}

// readCard reads the files that say what to do from the boot file system,
// which is never mounted. A file that is not there is left out; a card that is
// not there is told.
func (p *platform) readCard() (files map[string][]byte, notices []string) {
	fat, end, err := p.openCard()
	if err != nil {
		return nil, []string{fmt.Sprintf("The configuration on the card cannot be read (%v): running on the last good one.", err)}
	}
	defer end()
	files = map[string][]byte{}
	for _, name := range config.CardFiles() {
		b, err := fat.ReadFile(name, config.MaxSize)
		switch {
		case err == nil:
			files[name] = b
		case errors.Is(err, fs.ErrNotExist):
		case name == config.FileName:
			notices = append(notices, fmt.Sprintf("The configuration on the card cannot be read (%v): running on the last good one.", err))
		default:
			notices = append(notices, fmt.Sprintf("A file on the card cannot be read (%v): it is left out.", err))
		}
	}
	return files, notices
}

func (p *platform) openCard() (fat *bootfs.FS, end func() error, err error) {
	f, err := os.Open(p.bootDevice)
	if err != nil {
		return nil, nil, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		fat, err = bootfs.Open(io.NewSectionReader(f, 0, size))
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return fat, f.Close, nil
}

// readSMBIOS is the truechimer.toml that a virtual machine's host gave; nil
// where there is none, as on a board, which has no such table.
func (p *platform) readSMBIOS() ([]byte, error) {
	f, err := os.Open(p.smbios)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	table, err := io.ReadAll(io.LimitReader(f, config.MaxTable+1)) // Credential refuses more
	if err != nil {
		return nil, err
	}
	return config.Credential(table)
}
