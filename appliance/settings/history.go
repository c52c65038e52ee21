package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/durable"
)

// HistoryName is the file with the settings from before. It holds passwords: its mode
// is 0600.
const HistoryName = "settings-history"

const (
	historyHead = "truechimer settings 1"
	// historyMost bounds the file, bytes. Eleven files of the largest size do not
	// always fit: the oldest make room.
	historyMost = 1 << 20
	whatMost    = 200 // bytes
)

// history is the file's content.
type history struct {
	// Now are the settings that held when the file was written. It is written after
	// they are kept: where others hold at the next start, these are from before.
	Now  string `json:"now"`
	Past []Past `json:"past"`
}

func (h history) write(dir string) error {
	for {
		body, err := json.Marshal(h)
		if err != nil {
			return err
		}
		if b := durable.Summed(historyHead, body); len(b) <= historyMost {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
			return durable.WriteFile(filepath.Join(dir, HistoryName), b)
		}
		if len(h.Past) == 0 {
			return fmt.Errorf("they have more than %d bytes", historyMost)
		}
		h.Past = h.Past[:len(h.Past)-1]
	}
}

// readHistory gives nothing where nothing was kept.
func readHistory(dir string) (history, error) {
	f, err := os.Open(filepath.Join(dir, HistoryName))
	if errors.Is(err, fs.ErrNotExist) {
		return history{}, nil
	}
	if err != nil {
		return history{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, historyMost+1))
	if err != nil {
		return history{}, err
	}
	return parseHistory(b)
}

// parseHistory reads a file that may hold anything.
func parseHistory(b []byte) (history, error) {
	body, err := durable.Unsummed(historyHead, b, historyMost)
	if err != nil {
		return history{}, err
	}
	var h history
	if json.Unmarshal(body, &h) != nil { // its error may show a password
		return history{}, errors.New("it is damaged")
	}
	h.Past = h.Past[:min(len(h.Past), PastMost)]
	for i, p := range h.Past {
		// What another release could say and this one cannot is shown to be so when
		// somebody wants it back.
		if len(p.Text) > config.MaxSize || len(p.What) > whatMost {
			return history{}, errors.New("it is damaged")
		}
		h.Past[i].At = p.At.UTC()
	}
	if len(h.Now) > config.MaxSize {
		h.Now = ""
	}
	return h, nil
}
