package main

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/truechimer/truechimer/image/bootfs"
)

const oldID = "0123456789abcdef0123456789abcdef"

// cardOf is a card whose station has oldID on a board.
func cardOf(t *testing.T, serial string) *card {
	t.Helper()
	c := newCard()
	if err := bootfs.OpenState(c).StoreIdentity(bootfs.Identity{ID: oldID, BoardSerial: serial}); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIdentity(t *testing.T) {
	const perm = "fedcba9876543210fedcba9876543210"
	fresh := func(*testing.T) *card { return newCard() }
	with := func(serial string, change ...func(*card)) func(*testing.T) *card {
		return func(t *testing.T) *card {
			c := cardOf(t, serial)
			for _, f := range change {
				f(c)
			}
			return c
		}
	}
	dead := func(c *card) { c.failReads = syscall.EIO }
	locked := func(c *card) { c.failWrites = readOnly }
	for _, tt := range []struct {
		name               string
		card               func(*testing.T) *card
		serial, remembered string
		want               string // empty: a new one
		again              string // what the next boot finds: "same", "new" or an ID
	}{
		{"first boot", fresh, "s1", "", "", "same"},
		{"first boot of a board without a number", fresh, "", "", "", "same"},
		{"second boot", with("s1"), "s1", oldID, oldID, "same"},
		{"perm remembers another", with("s1"), "s1", perm, oldID, "same"},
		{"perm was lost", with("s1"), "s1", "", oldID, "same"},
		{"another board", with("s1"), "s2", oldID, "", "same"},
		{"board's number cannot be read", with("s1"), "", "", oldID, "same"},
		{"board's number was not known", with(""), "s1", "", oldID, "same"},
		{"damaged", with("s1", (*card).damage), "s1", "", "", "same"},
		{"damaged, perm remembers", with("s1", (*card).damage), "s1", oldID, oldID, "same"},
		{"damaged, perm remembers rubbish", with("s1", (*card).damage), "s1", "../../etc/passwd", "", "same"},
		{"unreadable", with("s1", dead), "s1", "", "", oldID},
		{"unreadable, perm remembers", with("s1", dead), "s1", oldID, oldID, "same"},
		{"never stored, perm remembers", fresh, "s1", perm, perm, "same"},
		{"read-only", with("s1", locked), "s1", "", oldID, "same"},
		{"read-only in another board", with("s1", locked), "s2", oldID, "", "new"},
		{"read-only and fresh", func(t *testing.T) *card { c := newCard(); locked(c); return c }, "s1", "", "", "new"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.card(t)
			got := identify(bootfs.OpenState(c), tt.serial, tt.remembered)
			if !isID(got.ID) {
				t.Fatalf("%q is no ID", got.ID)
			}
			if tt.want == "" && (got.ID == oldID || got.ID == perm || got.BoardSerial != tt.serial) || tt.want != "" && got.ID != tt.want {
				t.Errorf("got %+v, want %q", got, tt.want)
			}
			c.powerCut()
			c.failReads = nil
			next := identify(bootfs.OpenState(c), tt.serial, "")
			switch tt.again {
			case "same":
				if next.ID != got.ID {
					t.Errorf("the next boot took %s after %s", next.ID, got.ID)
				}
			case "new":
				if next.ID == got.ID || next.ID == oldID {
					t.Errorf("the next boot took %s after %s", next.ID, got.ID)
				}
			default:
				if next.ID != tt.again {
					t.Errorf("the next boot took %s, want %s", next.ID, tt.again)
				}
			}
		})
	}
}

// A card that is carried back has become another station in between.
func TestIdentityOfACopiedCard(t *testing.T) {
	c := cardOf(t, "s1")
	second := identify(bootfs.OpenState(c), "s2", oldID)
	if again := identify(bootfs.OpenState(c), "s2", second.ID); again != second {
		t.Errorf("%+v, then %+v", second, again)
	}
	if third := identify(bootfs.OpenState(c), "s1", second.ID); third.ID == oldID || third.ID == second.ID {
		t.Errorf("back in the first board: %+v", third)
	}
}

func TestIdentityWithoutState(t *testing.T) {
	a, b := identify(nil, "s1", ""), identify(nil, "s1", "")
	if !isID(a.ID) || a.ID == b.ID {
		t.Errorf("%q and %q", a.ID, b.ID)
	}
	if got := identify(nil, "s1", oldID); got.ID != oldID {
		t.Errorf("%q, though /perm remembers %q", got.ID, oldID)
	}
}

func TestIdentityInOneCopy(t *testing.T) {
	c := newCard()
	c.failWrites = func(n int) error {
		if n > 1 {
			return errors.New("worn out")
		}
		return nil
	}
	got := identify(bootfs.OpenState(c), "s1", "")
	if next := identify(bootfs.OpenState(c), "s1", ""); next != got {
		t.Errorf("%+v, then %+v", got, next)
	}
}

func TestBoardSerial(t *testing.T) {
	for property, want := range map[string]string{
		"":                                 "",
		"\x00":                             "",
		"100000000abcdef0\x00":             "100000000abcdef0",
		"100000000abcdef0":                 "100000000abcdef0",
		"serial \n\x00\x00":                "serial",
		"\xff\xff\xff\xff\x00":             "",
		"a\x00b\x00":                       "",
		strings.Repeat("x", 128) + "\x00":  strings.Repeat("x", 128),
		strings.Repeat("x", 129) + "\x00":  "",
		strings.Repeat("\xe9", 4) + "\x00": "",
	} {
		got := boardSerial(property)
		if got != want {
			t.Errorf("%q: %q, want %q", property, got, want)
		}
		// Whatever the board says, the record takes it: else each boot would
		// be a new station.
		c := newCard()
		id := identify(bootfs.OpenState(c), got, "")
		if next := identify(bootfs.OpenState(c), got, ""); next != id {
			t.Errorf("%q: %+v, then %+v", property, id, next)
		}
	}
}

func TestSlotOf(t *testing.T) {
	for cmdline, want := range map[string]string{
		"console=ttyAMA0 ro truechimer.slot=a":     "a",
		"truechimer.slot=b panic=10":               "b",
		"truechimer.slot=c":                        "",
		"truechimer.slot=":                         "",
		"xtruechimer.slot=a":                       "",
		"truechimer.slot=ab":                       "",
		"truechimer.slot=c truechimer.slot=b quit": "b",
		"": "",
	} {
		if got := slotOf(cmdline); got != want {
			t.Errorf("%q: %q, want %q", cmdline, got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	s := station{identity: bootfs.Identity{ID: oldID}, board: "rpi", slot: "b", bootDevice: "/dev/mmcblk0p1", stateDevice: "/dev/mmcblk0p5",
		rootA: "/dev/mmcblk0p2", rootB: "/dev/mmcblk0p3"}
	facts := []string{
		"TRUECHIMER_ID=" + oldID, "TRUECHIMER_NAME=truechimer-cdef", "TRUECHIMER_BOARD=rpi", "TRUECHIMER_SLOT=b",
		"TRUECHIMER_BOOT_DEVICE=/dev/mmcblk0p1", "TRUECHIMER_STATE_DEVICE=/dev/mmcblk0p5",
		"TRUECHIMER_ROOT_A_DEVICE=/dev/mmcblk0p2", "TRUECHIMER_ROOT_B_DEVICE=/dev/mmcblk0p3",
	}
	const alive = "TRUECHIMER_ALIVE=/run/truechimer/alive"
	if got := s.environment(); !slices.Equal(got, append(slices.Clone(facts), alive)) {
		t.Errorf("got %q", got)
	}
	if got := s.facts(); !slices.Equal(got, facts) {
		t.Errorf("a program that must not give signs of life: got %q, want %q", got, facts)
	}
	s.volatile = true
	if got := s.environment(); !slices.Equal(got, append(facts, "TRUECHIMER_PERM_VOLATILE=1", alive)) {
		t.Errorf("volatile: got %q", got)
	}
	s.volatile, s.safe = false, true
	if got := s.environment(); !slices.Equal(got, append(facts, "TRUECHIMER_SAFE_MODE=1", alive)) {
		t.Errorf("safe: got %q", got)
	}
	s.safe, s.rescue = false, true
	if got := s.environment(); !slices.Equal(got, append(facts, "TRUECHIMER_RESCUE=1", alive)) {
		t.Errorf("rescue: got %q", got)
	}
}
