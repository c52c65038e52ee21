package main

import (
	"fmt"
	"log/slog"
)

// calibrate has the pulses corrected by how late they are stamped, until the line
// is left.
func (e *ear) calibrate(in *inbox) {
	if err := e.source.Calibrate(e.ctx); err != nil {
		in.notes.say(slog.LevelInfo, "pulse lateness", err.Error())
	}
}

// tellLateness tells how late the pulses are stamped, and the log when that is
// known, or will not be.
func (l *listener) tellLateness(e *ear) {
	r := e.source.Lateness()
	l.in.found.late(r)
	text := ""
	switch {
	case r.Known && !e.known:
		text = fmt.Sprintf("the pulse is stamped %.1f µs late, give or take %.1f µs: that is taken out", r.Late*1e6, r.Error*1e6)
	case !r.Known && e.known:
		text = "how late the pulse is stamped is measured anew: " + r.Restart
	case r.Declined != "":
		text = "how late the pulse is stamped cannot be measured here: " + r.Declined
	}
	e.known = r.Known
	if text != "" {
		l.in.notes.say(slog.LevelInfo, "pulse lateness", text)
	}
}
