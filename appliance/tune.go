package main

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/gpspps/receiver"
)

// readsUBX says whether the station reads UBX: u-blox receivers are told to send
// it instead of sentences then.
const readsUBX = false

// writing is how long a line may take to take what is to be sent. It has room
// for kilobytes; a UART that is stuck must not hold up reading.
const writing = 50 * time.Millisecond

// topicSetup is what people are told on about configuring a receiver.
const topicSetup = "receiver setup"

// tuning configures the receiver on a port that is being read. nil does nothing.
type tuning struct {
	in   *inbox
	name string
	port port
	conf *receiver.Configurator
	told receiver.Report // last
}

// tuning is begun for each visit to a port: what is on it now, nobody knows.
func (f *finder) tuning(name string, baud int, p port) *tuning {
	c := f.hardware.conf.Receiver
	f.in.cable.Store(int64(c.CableDelay))
	if !c.Configure {
		return nil
	}
	return &tuning{in: f.in, name: name, port: p, conf: receiver.NewConfigurator(receiver.Setup{
		Baud: baud, UBX: readsUBX, Moving: c.Moving, CableDelay: c.CableDelay,
	})}
}

// fed passes on what came in.
func (t *tuning) fed(b []byte) {
	if t != nil && t.conf != nil {
		t.conf.Feed(b)
	}
}

// tick sends what is to be sent, at mono, CLOCK_MONOTONIC ns, and tells people
// what came of it. Call it only while a receiver is heard on the port: there is
// nobody else on its other end then.
func (t *tuning) tick(mono int64) {
	if t == nil || t.conf == nil {
		return
	}
	if out := t.conf.Tick(mono); len(out) > 0 {
		if err := t.write(out); err != nil {
			t.conf = nil
			t.in.found.setup("", status.SetupUnanswered)
			t.in.notes.set(topicSetup, fmt.Sprintf("The receiver on %s cannot be told what the station needs of it, and works with its own settings: %v.", t.name, err))
			return
		}
	}
	t.tell(t.conf.Report())
}

func (t *tuning) write(b []byte) error {
	if err := t.port.SetWriteDeadline(time.Now().Add(writing)); err != nil {
		return err
	}
	_, err := t.port.Write(b)
	return err
}

// tell tells what is new.
func (t *tuning) tell(r receiver.Report) {
	if r.State == t.told.State && r.Times == t.told.Times && r.Name == t.told.Name {
		return
	}
	t.told = r
	t.in.found.setup(r.Name, setupWord(r.State))
	if r.Cable {
		t.in.cable.Store(0)
	}
	switch r.State {
	case receiver.Configured:
		t.in.notes.set(topicSetup, "")
		t.in.notes.say(slog.LevelInfo, "receiver is", r.Name+" on "+t.name+" is configured")
	case receiver.Partly:
		t.in.notes.set(topicSetup, refusal(r, t.name))
	case receiver.Unanswered:
		t.in.notes.say(slog.LevelInfo, "receiver is", "the receiver on "+t.name+" does not answer, and is left as it is")
	}
}

// over is called when the port is left.
func (t *tuning) over() {
	if t != nil {
		t.in.found.setup("", "")
		t.in.notes.set(topicSetup, "")
	}
}

func setupWord(s receiver.State) string {
	switch s {
	case receiver.Configured:
		return status.SetupDone
	case receiver.Partly:
		return status.SetupPartly
	case receiver.Unanswered:
		return status.SetupUnanswered
	}
	return status.SetupUnderWay
}

// refusal says what a receiver did not agree to.
func refusal(r receiver.Report, port string) string {
	did := "does not agree to this, and keeps its own settings for it"
	if r.Silent {
		did = "stopped answering before it had agreed to this"
	}
	return fmt.Sprintf("The receiver on %s, %s, %s: %s.", port, r.Name, did, strings.Join(r.Refused, "; "))
}
