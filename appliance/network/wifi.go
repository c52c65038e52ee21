package network

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
)

// radio is what joining a network needs of the kernel. A call returns soon
// after its context has ended, as far as the kernel lets it.
type radio interface {
	// find is the first radio's link. The error is errNoRadio, or wraps
	// errNoFirmware or what the kernel said.
	find(ctx context.Context) (index int, name string, err error)
	// prepare sets the link up and asks for a country's rules; "": the rules
	// that hold everywhere.
	prepare(ctx context.Context, index int, country string) error
	// scan looks for networks and says whether one of that name is among them.
	// One that hides its name answers only where it is asked by it.
	scan(ctx context.Context, index int, ssid string, hidden bool) (found bool, err error)
	// join has the radio join a network, with key as its WPA2 key (the PMK, 32
	// bytes) or nil for an open one. It returns nil when the radio is in, and
	// an error that is errUnable or *refusal or what the kernel said.
	join(ctx context.Context, index int, ssid string, key []byte) error
	// leave has the radio leave the network, or give up joining it.
	leave(ctx context.Context, index int) error
}

var (
	errNoRadio    = errors.New("there is no radio for Wi-Fi")
	errNoFirmware = errors.New("no Wi-Fi firmware")
	errUnable     = errors.New("the radio leaves the exchange of WPA2's keys to a program that this station does not have; it can join open networks only")
)

// refusal is how a network, or the radio for it, did not let the station in.
type refusal struct {
	code int // IEEE 802.11-2020 table 9-50 (status) or 9-49 (reason)
}

func (r *refusal) Error() string { return fmt.Sprintf("refused with code %d", r.code) }

// joiner keeps a station in the Wi-Fi network it was told of.
type joiner struct {
	m       *Manager
	wifi    *config.Wifi
	links   links
	radio   radio
	changed *bell
	since   time.Time     // when a radio was first looked for; zero: not yet
	key     []byte        // of the network; nil: it is open
	free    chan struct{} // holds a value while the radio is not in a call
}

func newJoiner(m *Manager, l links, r radio, changed *bell, w *config.Wifi) *joiner {
	j := &joiner{m: m, wifi: w, links: l, radio: r, changed: changed, free: make(chan struct{}, 1)}
	j.free <- struct{}{}
	var err error
	if j.key, err = wifiKey(w.SSID, w.Password); err != nil {
		m.log.Error("network: the Wi-Fi password cannot be used", "err", err)
	}
	return j
}

// wifiKey is the PMK of a network: the password itself, where it is one, else
// made of it (IEEE 802.11-2020 section J.4.1). It is nil for an open network.
func wifiKey(ssid string, password config.Secret) ([]byte, error) {
	const rounds, size = 4096, 32
	switch p := password.Reveal(); {
	case p == "":
		return nil, nil
	case config.IsPMK(p):
		return hex.DecodeString(p)
	default:
		return pbkdf2.Key(sha1.New, p, []byte(ssid), rounds, size)
	}
}

// run joins the network, uses it, and joins it again, until ctx ends. cable
// says what the cable lacks, for where there is no radio either.
func (j *joiner) run(ctx context.Context, cable string) {
	t := j.m.times
	pause := t.retry
	if j.since.IsZero() {
		j.since = time.Now()
	}
	for ctx.Err() == nil {
		change := j.changed.next()
		index, name, err := j.find(ctx)
		if err != nil {
			j.fail(ctx, j.missing(err, cable))
			j.m.wait(ctx, change) // a radio that appears is a link that appears
			continue
		}
		if err = j.join(ctx, index, name); err == nil {
			start := time.Now()
			j.links.session(ctx, index)
			if time.Since(start) > t.retryMost {
				pause = t.retry
			}
		}
		j.leave(ctx, index)
		if err != nil {
			j.fail(ctx, err)
		}
		// Half to one and a half of the pause, as with leases.
		sleep(ctx, time.Duration(float64(pause)*(0.5+t.jitter())))
		pause = min(2*pause, t.retryMost)
	}
}

func (j *joiner) fail(ctx context.Context, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("the driver of the Wi-Fi radio does not answer")
	}
	if ctx.Err() == nil {
		j.m.reason(err.Error())
	}
}

// missing says that there is no radio, and what else there is not. A driver
// takes its time to load a radio's firmware.
func (j *joiner) missing(err error, cable string) error {
	if !errors.Is(err, errNoRadio) && !errors.Is(err, errNoFirmware) {
		return err
	}
	if time.Since(j.since) < j.m.times.radio {
		err = errors.New("waiting for the Wi-Fi radio to start")
	}
	return fmt.Errorf("%w; %s", err, cable)
}

type found struct {
	index int
	name  string
}

func (j *joiner) find(ctx context.Context) (index int, name string, err error) {
	f, err := within(ctx, j, j.m.times.scan, func(ctx context.Context) (f found, err error) {
		f.index, f.name, err = j.radio.find(ctx)
		return f, err
	})
	return f.index, f.name, err
}

// join brings a radio into the network. Its errors are for people.
func (j *joiner) join(ctx context.Context, index int, name string) error {
	w, t := j.wifi, j.m.times
	if w.Password.Reveal() != "" && j.key == nil {
		return fmt.Errorf("the password of the Wi-Fi network %q cannot be used", w.SSID)
	}
	j.m.reason(fmt.Sprintf("joining the Wi-Fi network %q over %s", w.SSID, name))
	if _, err := within(ctx, j, t.join, func(ctx context.Context) (none struct{}, err error) {
		return none, j.radio.prepare(ctx, index, w.Country)
	}); err != nil {
		return fmt.Errorf("the radio %s cannot be set up: %w", name, err)
	}
	seen, err := within(ctx, j, t.scan, func(ctx context.Context) (bool, error) {
		return j.radio.scan(ctx, index, w.SSID, w.Hidden)
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		// Some radios are busy with a scan of their own; joining looks, too.
		j.m.log.Info("network: the radio could not look for networks", "link", name, "err", err)
	case !seen && w.Hidden:
		return fmt.Errorf("the hidden Wi-Fi network %q is not found; is it in reach, and its name right?", w.SSID)
	case !seen:
		return fmt.Errorf("the Wi-Fi network %q is not found; is it in reach, its name right, and does it tell its name?", w.SSID)
	}
	change := j.changed.next()
	if _, err := within(ctx, j, t.join, func(ctx context.Context) (none struct{}, err error) {
		return none, j.radio.join(ctx, index, w.SSID, j.key)
	}); err != nil {
		return j.why(name, err)
	}
	limit, cancel := context.WithTimeout(ctx, t.carrier)
	defer cancel()
	for !j.links.carrier(index) {
		if limit.Err() != nil {
			return fmt.Errorf("%s has joined the Wi-Fi network %q, but has no carrier", name, w.SSID)
		}
		j.m.wait(limit, change)
		change = j.changed.next()
	}
	j.m.log.Info("network: joined a Wi-Fi network", "ssid", w.SSID, "link", name)
	return nil
}

// why says why a network was not joined. What a radio reports is not enough to
// blame the password: it is asked about.
func (j *joiner) why(name string, err error) error {
	ssid := j.wifi.SSID
	var no *refusal
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the Wi-Fi network %q does not answer", ssid)
	case errors.Is(err, errUnable):
		return fmt.Errorf("the Wi-Fi network %q has a password, and %s cannot join it: %w", ssid, name, err)
	case errors.As(err, &no) && j.key != nil:
		return fmt.Errorf("the Wi-Fi network %q does not let the station in (code %d); is the password right, and does the network allow WPA2 with AES?", ssid, no.code)
	case errors.As(err, &no):
		return fmt.Errorf("the Wi-Fi network %q does not let the station in (code %d); is it open, without a password?", ssid, no.code)
	}
	return fmt.Errorf("the Wi-Fi network %q could not be joined over %s: %w", ssid, name, err)
}

// leave has the radio leave the network, also when ctx has ended.
func (j *joiner) leave(ctx context.Context, index int) {
	if _, err := within(context.WithoutCancel(ctx), j, j.m.times.leave, func(ctx context.Context) (none struct{}, err error) {
		return none, j.radio.leave(ctx, index)
	}); err != nil {
		j.m.log.Debug("network: leaving a Wi-Fi network", "err", err)
	}
}

// within makes one call on the radio. When ctx ends or the time is up, it
// returns: a driver that hangs in the kernel then holds up the next call on the
// radio, and never the cable.
func within[T any](ctx context.Context, j *joiner, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	got := make(chan answer, 1)
	go func() {
		defer cancel()
		var a answer
		select {
		case <-j.free:
			if a.err = ctx.Err(); a.err == nil {
				a.value, a.err = call(ctx)
			}
			j.free <- struct{}{}
		case <-ctx.Done():
			a.err = ctx.Err()
		}
		got <- a
	}()
	select {
	case a := <-got:
		return a.value, a.err
	case <-ctx.Done():
		select { // the call's own answer says more
		case a := <-got:
			return a.value, a.err
		default:
		}
		var none answer
		return none.value, ctx.Err()
	}
}
