package receiver

import "github.com/truechimer/truechimer/gpspps/nmea"

// sky counts satellites over all talkers. Its tables are fixed: what does not
// fit is not counted.
type sky struct {
	epoch uint32 // counts them

	// GSA: which satellites are used, named by system and number, as they may
	// be named again per signal.
	ids     [96]uint32
	idCount int
	gsa     bool // a GSA came in this epoch
	mode    int  // of its fix, as gpspps.Fix numbers it
	gga     int  // GGA's own count, which may stop at 12; -1 none in this epoch
	used    int  // of the last epoch that said; -1 none
	usedAge int
	last    int // mode of the last epoch that said
	lastAge int

	views     [32]view
	viewCount int

	list table
}

// view is one talker's satellites in view on one signal.
type view struct {
	talker uint16
	signal byte // 0 where the sentence names none
	total  int
	heard  bool   // one of them at least has a C/N0
	epoch  uint32 // when it was last said
}

func (s *sky) addGSA(g *nmea.GSA) {
	s.gsa, s.mode = true, max(s.mode, g.Mode)
	for _, id := range g.IDs {
		if id > 0 && g.Mode > 1 {
			s.addUsed(id)
		}
	}
}

func (s *sky) addGSV(g *nmea.GSV, talker uint16) {
	for _, x := range g.Satellites[:g.Count] {
		system, number := named(uint32(talker), x.ID)
		s.list.said(Satellite{
			System: system, Number: number, Elevation: x.Elevation, Azimuth: x.Azimuth, CN0: max(x.CN0, 0),
		}, s.epoch)
	}
	v := s.view(talker, g.Signal)
	v.total, v.epoch, v.heard = g.Total, s.epoch, g.Heard || g.Part > 1 && v.heard
}

func (s *sky) addUsed(k uint32) {
	for _, x := range s.ids[:s.idCount] {
		if x == k {
			return
		}
	}
	if s.idCount < len(s.ids) {
		s.ids[s.idCount] = k
		s.idCount++
	}
}

// view is the entry of a talker's signal; a new one takes the place of the
// oldest when there is no more room.
func (s *sky) view(talker uint16, signal byte) *view {
	oldest := 0
	for i := range s.views[:s.viewCount] {
		v := &s.views[i]
		if v.talker == talker && v.signal == signal {
			return v
		}
		if v.epoch < s.views[oldest].epoch {
			oldest = i
		}
	}
	if s.viewCount < len(s.views) {
		oldest = s.viewCount
		s.viewCount++
	}
	s.views[oldest] = view{talker: talker, signal: signal, epoch: s.epoch}
	return &s.views[oldest]
}

// usedNow is the count of this epoch if it said one, else the last one said,
// if not too old; -1 unknown.
func (s *sky) usedNow() int {
	n := s.gga
	if s.gsa {
		n = max(n, s.idCount)
	}
	if n >= 0 {
		s.used, s.usedAge = n, 0
	} else if s.usedAge++; s.usedAge > maxAge {
		s.used = -1
	}
	return s.used
}

// modeNow is the mode of an epoch with a fix: what its GSA says, or the last
// one, if not too old, or what the place that it names tells.
func (s *sky) modeNow(place int) int {
	switch {
	case s.mode != 0:
		s.last, s.lastAge = s.mode, 0
		return s.mode
	case place == 0:
		return 0
	}
	if s.lastAge++; s.last > 1 && s.lastAge <= maxAge {
		return s.last
	}
	return place
}

// seen sums the talkers' satellites in view; -1 unknown. The same satellites
// are listed again for each signal, so the most on any one signal count. Signal
// 0 is all signals together where it is the only one; beside others a list of
// which none is heard holds those satellites that are heard on no signal, as
// u-blox sends it, and these come on top.
func (s *sky) seen() int {
	sum := -1
	for i := range s.views[:s.viewCount] {
		if !s.fresh(i) || !s.first(i) {
			continue
		}
		most, silent := 0, 0
		for j, v := range s.views[:s.viewCount] {
			switch {
			case v.talker != s.views[i].talker || !s.fresh(j):
			case v.signal == '0' && !v.heard:
				silent = v.total
			default:
				most = max(most, v.total)
			}
		}
		sum = max(sum, 0) + most + silent
	}
	return sum
}

// fresh says whether view i is not too old.
func (s *sky) fresh(i int) bool { return s.epoch-s.views[i].epoch <= maxAge }

// first says whether view i is the first fresh one of its talker.
func (s *sky) first(i int) bool {
	for j := range s.views[:i] {
		if s.views[j].talker == s.views[i].talker && s.fresh(j) {
			return false
		}
	}
	return true
}

// clearUsed forgets the satellites used when an epoch has been emitted or a
// burst begins. Those in view have no time and stay.
func (s *sky) clearUsed() { s.idCount, s.gsa, s.gga, s.mode = 0, false, -1, 0 }
