package web

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"time"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/monitor"
)

// ProofsPath is where the proofs are listed; each is below it.
const ProofsPath = "/api/v1/proofs"

// Proofs are the signed files in which a station says why servers are off.
type Proofs interface {
	// List returns what there is, the newest first.
	List() ProofList
	// File is one of them; fs.ErrNotExist if there is none of that id.
	File(id string) ([]byte, error)
}

// ProofList is the answer to GET /api/v1/proofs.
type ProofList struct {
	// Key is the public key that the station signs with, null until it has needed
	// one. KeyKept is false where the next start makes another one.
	Key     *string `json:"key"`
	KeyKept bool    `json:"key_kept"`
	Proofs  []Proof `json:"proofs"` // never null
}

// Proof is one file.
type Proof struct {
	ID       string    `json:"id"`
	URL      string    `json:"url"`       // of the file, on this station
	ServerID string    `json:"server_id"` // of the server's address, as in the status
	Name     string    `json:"name"`
	Address  string    `json:"address"`
	Time     time.Time `json:"time"` // of the last exchange in it
	Limit    float64   `json:"limit_s"`
	Reason   string    `json:"reason"`
	Size     int       `json:"size_bytes"`
}

// listed is the list as it is shown.
func listed(p Proofs) ProofList {
	l := p.List()
	out := ProofList{Key: l.Key, KeyKept: l.KeyKept, Proofs: []Proof{}}
	for _, one := range l.Proofs {
		one.URL = ProofsPath + "/" + one.ID
		one.ServerID, one.Name = health.Clean(one.ServerID, maxAddress), health.Clean(one.Name, maxWord)
		one.Address, one.Reason = health.Clean(one.Address, maxAddress), health.Clean(one.Reason, maxReason)
		one.Time = instant(one.Time)
		out.Proofs = append(out.Proofs, one)
	}
	return out
}

// listProofs answers GET /api/v1/proofs.
func listProofs(o Options) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		b, err := json.MarshalIndent(listed(o.Proofs), "", "  ")
		if err != nil {
			o.Log.Error("cannot write the list of proofs as JSON", "err", err)
			sentence(w, http.StatusInternalServerError, "The list could not be written; the station's log says why.")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(b, '\n'))
	}
}

// oneProof answers GET /api/v1/proofs/{id} with the file, byte for byte.
func oneProof(o Options, id string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		b, err := o.Proofs.File(id)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			sentence(w, http.StatusNotFound, "There is no such proof (any more); "+ProofsPath+" lists those there are.")
		case err != nil:
			o.Log.Error("cannot read a proof", "id", id, "err", err)
			sentence(w, http.StatusInternalServerError, "The proof could not be read; the station's log says why.")
		default:
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Disposition", `attachment; filename="proof-`+id+`.json"`)
			_, _ = w.Write(b)
		}
	}
}

// linkProofs gives the servers that are off the address of their newest proof.
func linkProofs(servers []serverView, p Proofs) {
	if p == nil {
		return
	}
	word := verdictViews[monitor.Off].word
	var list []Proof // asked for once, and only if somebody is off
	for i := range servers {
		v := &servers[i]
		if v.Verdict != word {
			continue
		}
		if list == nil {
			list = listed(p).Proofs
		}
		for _, one := range list {
			if one.Name == v.Name && one.Address == v.Address {
				v.Proof = one.URL
				break
			}
		}
	}
}
