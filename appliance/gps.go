package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/receiver"
)

const gpsUsage = `What a receiver said, from a recording of its port:

  appliance gps decode [-pivot DATE] FILE    (- for what comes in)

prints one JSON object per epoch. A recording does not say when its bytes came,
so that only what they say tells epochs apart.

A receiver may be wrong by 1024 weeks. Dates before the pivot are taken to be:
  -pivot 2026-01-31   a day known to be before the recording
  -pivot none         every date is believed
  -pivot log          (the default) 2017-01-01, when the last leap second began, as gpsd
                      does; none if a line "# Date:" of the recording says when it was made

`

// runGPS runs the command that args name.
func runGPS(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("appliance gps", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), gpsUsage) }
	pivot := flags.String("pivot", "log", "")
	if len(args) == 0 || args[0] != "decode" {
		if len(args) == 0 || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
			flags.SetOutput(out)
			flags.Usage()
			return flag.ErrHelp
		}
		return fmt.Errorf("%q: write appliance gps decode FILE", args)
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	name := flags.Arg(0)
	if flags.NArg() != 1 {
		return errors.New("gps decode takes one file, or - for what comes in")
	}
	r := recording{out: bufio.NewWriter(out)}
	switch *pivot {
	case "none":
	case "log":
		r.pivot, r.byLog = newestLeap, true
	default:
		var err error
		if r.pivot, err = time.Parse(time.DateOnly, *pivot); err != nil {
			return fmt.Errorf("-pivot %q: write a date as 2026-01-31, none or log", *pivot)
		}
	}
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	return r.decode(in)
}

// newestLeap is when the newest leap second was over (IERS Bulletin C 52). A
// receiver that says an earlier date is old, or has lost 1024 weeks.
var newestLeap = time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)

// recording is what came from a port, without its times.
type recording struct {
	out   *bufio.Writer
	pivot time.Time
	byLog bool // a line of the recording may say that no pivot is needed
	d     *receiver.Decoder
	err   error // of writing
	line  []byte
	skip  bool // the line being read is no comment
}

// recordedByte is how long a byte of a recording takes: as at 9600 baud, where
// a second's worth and no silence is what is most like one.
const recordedByte = time.Second * 10 / 9600

// noGap is a silence that no recording has: comments in it are none.
const noGap = time.Hour

// longestComment is how much of a comment is looked at.
const longestComment = 256

func (r *recording) decode(in io.Reader) error {
	r.d = receiver.NewDecoder(receiver.DecoderConfig{Emit: r.print, Pivot: r.pivot, ByteTime: recordedByte, Gap: noGap})
	var buf [4096]byte
	var n int64
	for {
		got, err := in.Read(buf[:])
		for i, c := range buf[:got] {
			if r.byLog {
				r.comment(c)
			}
			r.d.Feed(buf[i:i+1], n*int64(recordedByte))
			n++
		}
		if r.err != nil {
			return r.err
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	r.d.Flush()
	if r.err != nil {
		return r.err
	}
	return r.out.Flush()
}

// comment looks for a line that says when the recording was made. The count of
// leap seconds of that day is then what dates are held against: receivers of
// before 2017 are right.
func (r *recording) comment(c byte) {
	switch {
	case c == '\n':
		if rest, ok := bytes.CutPrefix(r.line, []byte("# Date: ")); ok {
			if _, _, ok := bytes.Cut(rest, []byte("-")); ok {
				r.d.SetPivot(time.Time{})
				r.byLog = false
			}
		}
		r.line, r.skip = r.line[:0], false
	case r.skip:
	case len(r.line) == 0 && c != '#', len(r.line) == longestComment:
		r.skip = true
	default:
		r.line = append(r.line, c)
	}
}

// epochLine is a fix as it is printed; what is not known is null.
type epochLine struct {
	Time   *string           `json:"time"`
	Mode   int               `json:"mode"`
	Leap   *int              `json:"leap"`
	Lat    *float64          `json:"lat"`
	Lon    *float64          `json:"lon"`
	Used   *int              `json:"used"`
	Seen   *int              `json:"seen"`
	Source receiver.Protocol `json:"source"`
}

func (r *recording) print(f gpspps.Fix) {
	line := epochLine{Mode: f.Mode, Leap: known(f.Leap), Source: r.d.Protocol()}
	if !f.Time.IsZero() {
		line.Time = known(f.Time.Round(time.Millisecond).Format("2006-01-02T15:04:05.000Z"))
	}
	if f.Position.Known {
		line.Lat, line.Lon = &f.Position.Lat, &f.Position.Lon
	}
	if f.Used >= 0 {
		line.Used = &f.Used
	}
	if f.Seen >= 0 {
		line.Seen = &f.Seen
	}
	b, err := json.Marshal(line)
	if err == nil {
		_, err = r.out.Write(append(b, '\n'))
	}
	if r.err == nil {
		r.err = err
	}
}
