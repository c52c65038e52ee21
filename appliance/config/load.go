package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Where a configuration in force came from.
const (
	FromDefault = "default"
	FromPerm    = "perm" // the last good one
	FromFAT     = "fat"  // new or changed
)

// Dir is the directory on the station's own partition that the last good
// configuration is kept in.
const Dir = "/perm/truechimer"

// keptName is the file in it. Its first line is keptHead and the SHA-256 of the
// file on the FAT volume as it was when it was last taken; what follows is the
// configuration in force. Both in one file, so that a power cut cannot part them.
const (
	keptName = "config.toml"
	keptHead = "# taken from the FAT volume, sha256 "
)

// keptMax leaves the largest file room for the head; Parse bounds the rest.
const keptMax = MaxSize + int64(len(keptHead)) + 2*sha256.Size + 1

// Loaded is a configuration and how it came about.
type Loaded struct {
	Config  Config
	From    string   // FromDefault, FromPerm or FromFAT
	Notices []string // for people: what was wrong; nil when nothing was
}

// Load decides which configuration holds: the defaults, then the last good one
// in dir, then the file on the FAT volume if it is another than the one that
// was last taken. fat is that file's content, nil if there is none. dir "" is
// a station that cannot keep anything.
//
// It always yields a valid configuration. A file with mistakes is never taken:
// what held before goes on and Notices say what is wrong. A good new file is
// kept in dir.
func Load(fat []byte, dir string) Loaded {
	l := Loaded{Config: Default(), From: FromDefault}
	taken := ""
	if dir != "" {
		l.kept(filepath.Join(dir, keptName), &taken)
	}
	if fat == nil || hash(fat) == taken {
		return l
	}
	c, err := Parse(FileName, fat)
	if err != nil {
		l.notice(err)
		if l.From == FromPerm {
			l.Notices = append(l.Notices, FileName+" was not taken; the last good configuration goes on")
		} else {
			l.Notices = append(l.Notices, FileName+" was not taken; the station goes on without it")
		}
		return l
	}
	l.Config, l.From = c, FromFAT
	if dir == "" {
		return l
	}
	if err := keep(dir, fat); err != nil {
		l.Notices = append(l.Notices, fmt.Sprintf("%s is in force but could not be kept: %v; leave it on the card", FileName, err))
	}
	return l
}

// kept loads the last good configuration if there is one.
func (l *Loaded) kept(path string, taken *string) {
	sum, text, err := readKept(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var c Config
	if err == nil {
		c, err = parse(path, text, MaxSize+1) // the head left its line end
	}
	if err != nil {
		l.notice(err)
		return
	}
	l.Config, l.From, *taken = c, FromPerm, sum
}

// notice adds what is wrong, a line for each mistake.
func (l *Loaded) notice(err error) {
	if list, ok := errors.AsType[*Errors](err); ok {
		l.Notices = append(l.Notices, list.Lines()...)
		return
	}
	l.Notices = append(l.Notices, err.Error())
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// readKept gives the hash and the configuration. The head's line stays, empty,
// so that errors count it.
func readKept(path string) (sum string, text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", nil, fmt.Errorf("the last good configuration: %w", err)
	}
	defer f.Close()
	text, err = io.ReadAll(io.LimitReader(f, keptMax+1))
	if err != nil {
		return "", nil, fmt.Errorf("the last good configuration: %w", err)
	}
	head, body, _ := bytes.Cut(text, []byte{'\n'})
	rest, ok := bytes.CutPrefix(head, []byte(keptHead))
	if !ok || len(rest) != hex.EncodedLen(sha256.Size) {
		return "", nil, fmt.Errorf("the last good configuration %s is damaged; put %s on the card's FAT volume again", path, FileName)
	}
	return string(rest), append([]byte{'\n'}, body...), nil
}

// keep writes the file anew, so that a power cut leaves the old one or the new
// one and nothing in between.
func keep(dir string, fat []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text := append([]byte(keptHead+hash(fat)+"\n"), bytes.TrimPrefix(fat, []byte("\xef\xbb\xbf"))...)
	path := filepath.Join(dir, keptName)
	temp := path + ".new"
	if err := writeSynced(temp, text); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
