package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/appliance/web"
	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/proof"
)

const (
	// proofsName is the directory of proofs beside what else is kept.
	proofsName = "proofs"
	// proofsMost is how many are kept at the most, proofsBytes how long they may be
	// together; the oldest go first, but none within proofsPause of its making.
	proofsMost  = 64
	proofsBytes = 2 << 20
	// proofsPause is how long after a proof the same server gets no other.
	proofsPause = time.Hour
	// proofsWaiting is how many may wait for being signed and written.
	proofsWaiting = 8
)

// proofs are the signed files in which the station says why servers are off.
type proofs struct {
	dir     string // empty: they are kept in memory
	key     *proofKey
	station string
	notes   *notes
	todo    chan unsigned

	mu        sync.Mutex
	collector proof.Collector
	asked     []asked
	list      []keptProof // oldest first
}

// unsigned is what is to become a proof.
type unsigned struct {
	target monitor.Target
	reason string
	list   []proof.Evidence
}

// asked is a proof of this last while, whatever became of it.
type asked struct {
	id, address string
	at          int64 // true time, ns since the Unix epoch
}

// keptProof is a file; Time is zero where this version cannot read it.
type keptProof struct {
	web.Proof
	file []byte // nil where it is on the card
}

func (s *station) newProofs() *proofs {
	p := &proofs{
		station: s.platform.id, notes: s.notes, todo: make(chan unsigned, proofsWaiting),
		key: &proofKey{station: s.platform.id, notes: s.notes},
	}
	p.collector = proof.Collector{Wanted: p.wanted, Reference: func(mono int64, judged string) (source, state string) {
		r := s.ref.At(mono, judged)
		return string(r.Source), string(r.State)
	}}
	if perm := s.platform.perm; perm != "" && !s.platform.volatile {
		p.dir, p.key.path = filepath.Join(perm, proofsName), filepath.Join(perm, proofKeyName)
	}
	return p
}

// put takes what the monitor found. It does not block.
func (p *proofs) put(x monitor.Exchange, r monitor.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.collector.Put(x, r)
	if list == nil {
		return
	}
	select {
	case p.todo <- unsigned{r.Target, r.Reason, list}:
		p.asked = append(p.asked, asked{r.Target.ID, r.Target.Addr.String(), list[len(list)-1].Reading.True})
	default: // the card is slow; three more exchanges prove it as well
	}
}

// wanted says whether there should be a proof of t at utc. p.mu is held.
func (p *proofs) wanted(t monitor.Target, utc int64) bool {
	p.asked = slices.DeleteFunc(p.asked, func(a asked) bool {
		return time.Duration(utc-a.at).Abs() >= proofsPause
	})
	return len(p.asked) < proofsMost && !slices.ContainsFunc(p.asked, func(a asked) bool {
		return a.id == t.ID && a.address == t.Addr.String()
	})
}

// run signs and writes what there is to.
func (p *proofs) run(ctx context.Context) error {
	if err := p.load(); err != nil {
		p.notes.say(slog.LevelWarn, "proofs", fmt.Sprintf("those of before cannot be read: %v", err))
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case u := <-p.todo:
			text := ""
			if err := p.make(u); err != nil {
				text = fmt.Sprintf("cannot be kept: %v", err)
			}
			p.notes.say(slog.LevelWarn, "a proof", text)
		}
	}
}

// make signs a proof and keeps it.
func (p *proofs) make(u unsigned) error {
	private, kept := p.key.private()
	s, err := proof.New(proof.Station{
		ID: p.station, Key: proof.KeyOf(private), KeyKept: kept, Software: "truechimer " + version,
	}, u.target, u.reason, u.list)
	if err != nil {
		return err
	}
	// Nothing leaves the station that would not convince it.
	if f := proof.Judge(s); !f.Proven {
		return fmt.Errorf("what was gathered does not prove it: %s", f.Doubt)
	}
	file, err := proof.Sign(s, private)
	if err != nil {
		return err
	}
	one := keptProof{Proof: described(proofID(s, file), s, len(file))}
	if p.dir == "" {
		one.file = file
	} else {
		if err := os.MkdirAll(p.dir, 0o700); err != nil {
			return err
		}
		// Room is made first: there may be none for one more.
		if err := p.makeRoom(len(file)); err != nil {
			return err
		}
		if err := durable.WriteFile(p.path(one.ID), file); err != nil {
			return err
		}
	}
	p.mu.Lock()
	p.list = append(p.list, one)
	p.mu.Unlock()
	return p.makeRoom(0)
}

// makeRoom drops the oldest until one of so many bytes may be added, 0 for none.
func (p *proofs) makeRoom(size int) error {
	for {
		p.mu.Lock()
		total, most := size, proofsMost
		for _, one := range p.list {
			total += one.Size
		}
		if size > 0 {
			most--
		}
		if len(p.list) == 0 || len(p.list) <= most && total <= proofsBytes {
			p.mu.Unlock()
			return nil
		}
		oldest := p.list[0]
		p.list = slices.Clone(p.list[1:])
		p.mu.Unlock()
		if p.dir != "" {
			if err := durable.Remove(p.path(oldest.ID)); err != nil {
				return err
			}
		}
	}
}

func (p *proofs) path(id string) string { return filepath.Join(p.dir, id+".json") }

// proofID is when it was, and what tells it from others of that second.
func proofID(s *proof.Statement, file []byte) string {
	sum := sha256.Sum256(file)
	return s.Exchanges[len(s.Exchanges)-1].Reference.UTC.Format("20060102T150405Z") + "-" + hex.EncodeToString(sum[:8])
}

var proofFile = regexp.MustCompile(`^([0-9]{8}T[0-9]{6}Z-[0-9a-f]{16})\.json$`)

// described is what the list says of a proof.
func described(id string, s *proof.Statement, size int) web.Proof {
	return web.Proof{
		ID: id, ServerID: s.Server.ID, Name: s.Server.Name, Address: s.Server.Address.String(),
		Time: s.Exchanges[len(s.Exchanges)-1].Reference.UTC, Limit: s.Server.Limit, Reason: s.Reason, Size: size,
	}
}

// load looks at what is on the card.
func (p *proofs) load() error {
	if p.dir == "" {
		return nil
	}
	p.key.load()
	entries, err := os.ReadDir(p.dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var list []keptProof
	for _, e := range entries {
		m := proofFile.FindStringSubmatch(e.Name())
		if m == nil {
			continue // the rest of a write that the power ended, which the next one overwrites
		}
		one := keptProof{Proof: web.Proof{ID: m[1], Size: proof.MaxSize}}
		if b, err := readAtMost(p.path(m[1]), proof.MaxSize); err == nil {
			one.Size = len(b)
			// One that a newer version wrote stays, as do those that are damaged,
			// until they are the oldest.
			if s, err := proof.Open(b); err == nil {
				one.Proof = described(m[1], s, len(b))
			}
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b keptProof) int { return cmp.Compare(a.ID, b.ID) })
	p.mu.Lock()
	p.list = list
	for _, one := range list[max(len(list)-proofsMost, 0):] {
		if !one.Time.IsZero() {
			p.asked = append(p.asked, asked{one.ServerID, one.Address, one.Time.UnixNano()})
		}
	}
	p.mu.Unlock()
	return p.makeRoom(0)
}

// readAtMost reads a file that may be of any length.
func readAtMost(path string, most int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(b) > most {
		err = fmt.Errorf("%s: more than %d bytes", path, most)
	}
	return b, err
}

// List implements web.Proofs.
func (p *proofs) List() web.ProofList {
	out := web.ProofList{}
	if key, kept, ok := p.key.public(); ok {
		text := key.String()
		out.Key, out.KeyKept = &text, kept
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range slices.Backward(p.list) {
		out.Proofs = append(out.Proofs, one.Proof)
	}
	return out
}

// File implements web.Proofs.
func (p *proofs) File(id string) ([]byte, error) {
	p.mu.Lock()
	i := slices.IndexFunc(p.list, func(one keptProof) bool { return one.ID == id })
	var file []byte
	if i >= 0 {
		file = p.list[i].file
	}
	p.mu.Unlock()
	switch {
	case i < 0:
		return nil, fs.ErrNotExist
	case file != nil:
		return file, nil
	}
	return readAtMost(p.path(id), proof.MaxSize)
}
