package monitor

import (
	"fmt"
	"math"
	"time"
)

const (
	// starvedAfter is how late the loop may come to its turn, which it has at
	// least every tick, before the station is taken for starved of CPU.
	starvedAfter = 250 * time.Millisecond

	// settling is how long a way that was down is not trusted unless somebody
	// answers over it: what a
	// switch's port keeps its new cable waiting for, twice the forward delay of
	// IEEE 802.1D.
	settling = 30 * time.Second

	// chanceOfLoss is how probable it may be that all requests which convict a
	// server were lost by the station's own link.
	chanceOfLoss = 1e-9
	// failuresMost is how many failures in a row convict on the worst link.
	failuresMost = 250
)

// lossMemories are how many replies the station remembers for that, older ones
// less and less.
var lossMemories = [...]float64{64, 512, 4096}

// Host is what the station knows of its own side of each way: why nothing can
// be reached over it at present, for people; empty where nothing is known
// against it.
type Host struct {
	Internet4, Internet6, Local4, Local6 string
}

func (h *Host) why(w way) string {
	switch w {
	case internet4:
		return h.Internet4
	case internet6:
		return h.Internet6
	case local4:
		return h.Local4
	case local6:
		return h.Local6
	}
	return ""
}

// ownSide is what is known of the station itself that explains silence.
//
// Three things do, and a failure that one of them explains is the station's, or
// counts for less. The way was down here while the request was under way, or
// had been within settling before it, with no answer since: Config.Host says so. The loop came late
// to its turn meanwhile: whoever is starved of CPU may have lost the reply. Both
// void the failure. And a link that loses packets, which shows in the servers
// that answer in between, takes more failures in a row to convict, see needed.
//
// None of them touches a reply: what came is proven by the kernel's stamps, or
// wide enough for user space's.
type ownSide struct {
	turned             time.Time // the loop's last turn
	starved, recovered time.Time // it had none between these two, the last time that took too long
	down               [numWays]struct {
		why  string
		last time.Time // when it was last known to be down
	}
	replied [numWays]time.Time // when somebody last did
	losses  [numWays]losses
}

// turn notes that the loop has its turn.
func (o *ownSide) turn(now time.Time) {
	if !o.turned.IsZero() && now.Sub(o.turned) > tick+starvedAfter {
		o.starved, o.recovered = o.turned, now
	}
	o.turned = now
}

// look notes what is known of the ways.
func (o *ownSide) look(ask func() Host, now time.Time) {
	if ask == nil {
		return
	}
	h := ask()
	for _, w := range [...]way{internet4, internet6, local4, local6} {
		if why := h.why(w); why != "" {
			o.down[w].why, o.down[w].last = why, now
		}
	}
}

// explains says why the silence that an exchange over w met since it began is
// the station's own; empty if it is not known to be.
func (o *ownSide) explains(w way, began time.Time) string {
	if d := &o.down[w]; !d.last.IsZero() && (!began.After(d.last) || began.Sub(d.last) < settling && !o.replied[w].After(d.last)) {
		return "this station's own side was down: " + d.why
	}
	if o.recovered.After(began) {
		return fmt.Sprintf("this station was starved of CPU for %s meanwhile", people(math.Round(o.recovered.Sub(o.starved).Seconds()*10)/10))
	}
	return ""
}

// losses is what is known of a way's loss of packets: how many requests were
// answered, and how many failed in a row before one that was. Who does not
// answer any more is not in it, dead or not: what is lost on the way is lost of
// those alive, too. It is kept over several memories, since a loss that is young must not
// drown in what was before, and a rare one must not be forgotten.
type losses [len(lossMemories)]struct{ lost, answered float64 }

// reply takes a reply after so many failures in a row.
func (l *losses) reply(after int) {
	for i, memory := range lossMemories {
		m := &l[i]
		m.lost -= m.lost / memory
		m.answered -= m.answered / memory
		m.lost += float64(min(after, failuresMost))
		m.answered++
	}
}

// needed is how many failures in a row are a server's fault.
//
// The station's own loss takes them with the probability p^k, if p is its share
// and it strikes at random. After l lost of n, p is not known but for its
// distribution, Beta(l+1, n-l+1) if nothing was known before, and the mean of
// p^k is the product of (l+1+i)/(n+2+i) for i below k. The least k is taken for
// which it is at most chanceOfLoss, by the memory that says most. With no loss
// at all it is failuresForFault, however short the memory: a loss that never
// showed is rare or young. What remains is largest where one request in a
// thousand is lost; the chance of none in the longest memory and then three in
// a row is 2e-11 an exchange there.
func (l *losses) needed() int {
	most := failuresForFault
	for _, m := range l {
		if m.lost < 0.5 {
			continue
		}
		k := 0
		for p := 1.0; (p > chanceOfLoss || k < most) && k < failuresMost; k++ {
			p *= (m.lost + 1 + float64(k)) / (m.lost + m.answered + 2 + float64(k))
		}
		most = k
	}
	return most
}

// ours fills in what of an exchange's failure is the station's own, or may be,
// and learns from a reply how many are lost.
func (m *Monitor) ours(t *target, rec *record, began, now time.Time) {
	losses := &m.self.losses[t.ways[0]]
	switch o := rec.x.Outcome; o {
	case OutcomeOK, OutcomeUnsynchronized, OutcomeDenied, OutcomeRateLimited, OutcomeInvalid:
		m.self.replied[t.ways[0]] = now
		lost := t.now.fail.lost
		if t.now.fail.fault != "" {
			lost = 0 // those were the server's
		}
		losses.reply(lost)
	default:
		if !silent(o) {
			return
		}
		m.self.look(m.cfg.Host, now)
		rec.void = m.self.explains(t.ways[0], began)
		rec.open = rec.void == "" && m.side.mayBeOurs(t, o)
		rec.needed = losses.needed()
	}
}
