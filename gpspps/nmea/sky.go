package nmea

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

	views     [32]view
	viewCount int
}

// view is one talker's satellites in view on one signal.
type view struct {
	talker uint16
	signal byte // 0 where the sentence names none
	total  int
	epoch  uint32 // when it was last said
}

func (s *sky) addUsed(system, id uint32) {
	k := system<<16 | id
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

func (s *sky) setView(talker uint16, signal byte, total int) {
	oldest := 0
	for i := range s.views[:s.viewCount] {
		v := &s.views[i]
		if v.talker == talker && v.signal == signal {
			v.total, v.epoch = total, s.epoch
			return
		}
		if v.epoch < s.views[oldest].epoch {
			oldest = i
		}
	}
	if s.viewCount < len(s.views) {
		oldest = s.viewCount
		s.viewCount++
	}
	s.views[oldest] = view{talker, signal, total, s.epoch}
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

// seen sums the talkers' satellites in view: for a talker the most on any one
// signal, as the same satellites are listed again for each; -1 unknown.
func (s *sky) seen() int {
	sum := -1
	for i, v := range s.views[:s.viewCount] {
		if s.epoch-v.epoch > maxAge {
			continue
		}
		most, first := v.total, true
		for j, w := range s.views[:s.viewCount] {
			if w.talker == v.talker && s.epoch-w.epoch <= maxAge {
				most = max(most, w.total)
				first = first && j >= i
			}
		}
		if first {
			sum = max(sum, 0) + most
		}
	}
	return sum
}

// clearUsed forgets the satellites used when an epoch has been emitted or a
// burst begins. Those in view have no time and stay.
func (s *sky) clearUsed() { s.idCount, s.gsa, s.gga, s.mode = 0, false, -1, 0 }
