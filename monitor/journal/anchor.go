package journal

import "encoding/binary"

// Before true time is known, a record's instant is one of the station's monotonic
// clock, which begins anew with each start. An anchor says what that clock showed
// at a true time, of one session; a file of them serves all segments, so that none
// has to be written again once the time is known.

const maxAnchors = 1024 // the newest are kept

// anchor is one instant on both clocks, ns.
type anchor struct{ mono, utc int64 }

// anchors are those that are known, by session.
type anchors struct {
	cells cells
	known map[uint64]anchor
}

func newAnchors(dir Dir) *anchors {
	return &anchors{
		cells: cells{dir: dir, name: "anchors", count: maxAnchors, stride: slotSize},
		known: map[uint64]anchor{},
	}
}

func (a *anchors) load() error {
	return a.cells.load(func(data []byte) {
		le := binary.LittleEndian
		session := le.Uint64(data)
		if _, newer := a.known[session]; !newer {
			a.known[session] = anchor{int64(le.Uint64(data[8:])), int64(le.Uint64(data[16:]))}
		}
	})
}

// write keeps a session's anchor.
func (a *anchors) write(session uint64, at anchor) error {
	b := make([]byte, 24)
	le := binary.LittleEndian
	le.PutUint64(b, session)
	le.PutUint64(b[8:], uint64(at.mono))
	le.PutUint64(b[16:], uint64(at.utc))
	return a.cells.write(b)
}
