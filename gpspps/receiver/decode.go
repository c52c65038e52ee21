// Package receiver reads what a GPS receiver says, in whatever it speaks.
package receiver

import (
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/nmea"
	"github.com/truechimer/truechimer/gpspps/ubx"
)

const (
	defaultGap = 100 * time.Millisecond
	// A burst goes on while bytes of sentences come in, but not for longer than
	// this after the last whole one: garbage must not hold a fix back.
	maxWait = 300 * time.Millisecond
	// A burst that names the same time as the one before is another one, of a
	// receiver whose clock stands still, if it begins this much later.
	sameTimeApart = int64(500 * time.Millisecond)
	// No burst lasts longer: the next one would have no room.
	longestBurst = int64(time.Second)
	// Satellites are shown from the last sentences that named them; receivers
	// may send those every few seconds only.
	maxAge = 10
)

// DecoderConfig is what a Decoder needs to know.
type DecoderConfig struct {
	// Emit takes each fix, in the goroutine that calls Feed, Idle or Flush.
	Emit func(gpspps.Fix)
	// Pivot is a time known to be past: that of the build, or the last good one.
	// See nmea.Resolve. Zero trusts every date as it is.
	Pivot time.Time
	// ByteTime is how long one byte takes on the line, 10 bits / baud, for
	// the bytes of one Feed; 0 takes them all as arrived at once.
	ByteTime time.Duration
	// Gap is the silence that ends a burst; 0 means 100 ms.
	Gap time.Duration
}

// DecoderStats count what was read, since the start.
type DecoderStats struct {
	nmea.Stats
	Frames   uint64 // of UBX with the right checksum, known or not
	Damaged  uint64 // with a wrong one
	Noise    uint64 // bytes between sentences and frames, line ends not counted
	Fixes    uint64 // emitted
	Rollover uint64 // fixes whose date had lost 1024 weeks or more
	Conflict uint64 // fixes where RMC and ZDA named two dates: not valid
}

// Protocol is what a receiver speaks.
type Protocol string

// The protocols.
const (
	NMEA Protocol = "nmea"
	UBX  Protocol = "ubx"
)

// Decoder turns the bytes of a port, NMEA sentences and UBX frames with
// whatever comes between them, into one fix per epoch. A receiver sends, once a
// second, a burst of sentences and frames, which begins some ten to hundreds of
// milliseconds after the second that it names. Where both protocols speak of
// the same epoch UBX counts, which says more. It allocates nothing after
// NewDecoder. Not safe for use by several goroutines.
type Decoder struct {
	emit  func(gpspps.Fix)
	pivot time.Time
	byteT int64
	gap   int64
	stats DecoderStats

	sentences nmea.Parser
	frames    ubx.Parser
	// What was so when the frame that may be coming began: its bytes are no
	// noise if it does.
	before struct {
		mono    int64
		noise   uint64
		dropped int
		stats   nmea.Stats
	}

	// The burst being read.
	active  int64 // arrival of the last byte that belonged to a sentence or frame
	good    int64 // arrival of the last byte of the last whole one
	begun   bool  // something of this burst has come
	begin   int64 // arrival of its first byte
	dropped int   // sentences and frames dropped since the last fix
	ep      epoch
	dated   dated
	cycle   cycle
	sky     sky
	known   known
	spoke   Protocol
}

// NewDecoder makes a Decoder. c.Emit must be set.
func NewDecoder(c DecoderConfig) *Decoder {
	d := &Decoder{emit: c.Emit, pivot: c.Pivot, byteT: int64(c.ByteTime), gap: int64(c.Gap), spoke: NMEA}
	if d.gap <= 0 {
		d.gap = int64(defaultGap)
	}
	d.sky.used = -1
	d.sky.clearUsed()
	return d
}

// SetPivot moves the time known to be past, see DecoderConfig.
func (d *Decoder) SetPivot(t time.Time) { d.pivot = t }

// Stats are the counts so far.
func (d *Decoder) Stats() DecoderStats {
	s := d.stats
	s.Stats, s.Frames, s.Damaged = d.sentences.Stats(), d.frames.Frames(), d.frames.Damaged()
	if d.frames.Pending() > 0 { // what comes in may turn out to be a frame
		s.Noise, s.Checksum, s.Broken = d.before.noise, d.before.stats.Checksum, d.before.stats.Broken
	}
	return s
}

// Protocol is what the last fix was said in: UBX where it counted.
func (d *Decoder) Protocol() Protocol { return d.spoke }

// Feed takes bytes in the order they came in. mono is the arrival of the first
// one, CLOCK_MONOTONIC ns, and must not run backwards from call to call.
func (d *Decoder) Feed(b []byte, mono int64) {
	for i, c := range b {
		d.take(c, mono+int64(i)*d.byteT)
	}
}

// Idle says that it is mono now and all bytes that came in before were fed. It
// emits the fix of a burst that has ended. Call it every 50 ms or so, so that
// a fix is out before the next pulse.
func (d *Decoder) Idle(mono int64) {
	if !d.begun {
		return
	}
	wait := max(int64(maxWait), d.gap) + int64(d.frames.Pending())*d.byteT
	if mono-d.active >= d.gap || mono-d.good >= wait {
		d.endBurst()
	}
}

// Flush emits the fix of a burst not yet ended, as at the end of a file.
func (d *Decoder) Flush() {
	d.sentences.Abandon(d.sentences.Stats())
	d.endBurst()
}

func (d *Decoder) take(c byte, at int64) {
	d.Idle(at)
	held := d.frames.Pending()
	d.frames.Push(c)
	pending := d.frames.Pending()
	if pending > 0 {
		if held == 0 {
			d.mark(at)
		}
		d.active = at
	}
	switch d.sentences.Take(c, at) {
	case nmea.Outside:
		if c != '\r' && c != '\n' {
			d.stats.Noise++
		}
	case nmea.Inside:
		d.active = at
	case nmea.Dropped:
		d.dropped++
		d.beginBurst(d.sentences.Start())
		d.active = at
	case nmea.Whole:
		d.beginBurst(d.sentences.Start())
		d.active, d.good = at, at
		d.sentence(d.sentences.Start())
	}
	if pending > 0 {
		d.takeFrames(at)
	}
}

// mark notes what is so before the byte at which a frame may begin.
func (d *Decoder) mark(mono int64) {
	b := &d.before
	b.mono, b.noise, b.dropped, b.stats = mono, d.stats.Noise, d.dropped, d.sentences.Stats()
}

// takeFrames reads the frames that ended with the byte that arrived at at.
func (d *Decoder) takeFrames(at int64) {
	damaged, held := d.frames.Damaged(), d.frames.Pending()
	for {
		f, ok := d.frames.Next()
		if !ok {
			break
		}
		start := d.before.mono
		if f.Len == held {
			d.stats.Noise, d.dropped = d.before.noise, d.before.dropped
			d.sentences.Abandon(d.before.stats)
		} else { // found in what had looked like another frame
			start = max(start, at-int64(f.Len+d.frames.Pending()-1)*d.byteT)
		}
		d.beginBurst(start)
		d.active, d.good = at, at
		d.frame(&f, start)
	}
	d.dropped += int(d.frames.Damaged() - damaged)
	if n := d.frames.Pending(); n > 0 && n < held {
		d.mark(at - int64(n-1)*d.byteT)
	}
}
