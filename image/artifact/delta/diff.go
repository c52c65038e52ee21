package delta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Diff writes the delta that makes the file named newName out of the one named
// oldName. It runs Debian's bsdiff, which takes a memory of some 9 to 17 times
// the old file's size, and applies what comes out before it writes any of it. The
// same files give the same bytes.
func Diff(ctx context.Context, w io.Writer, oldName, newName string) error {
	tool, err := exec.LookPath("bsdiff")
	if err != nil {
		return errors.New("making a delta takes the program bsdiff, which is not here: apt-get install bsdiff")
	}
	old, oldSize, err := open(oldName)
	if err != nil {
		return err
	}
	defer old.Close()
	fresh, newSize, err := open(newName)
	if err != nil {
		return err
	}
	defer fresh.Close()
	if err := checkSizes(oldSize, newSize); err != nil {
		return err
	}
	if oldSize == 0 || newSize == 0 {
		return fmt.Errorf("%s, %s: bsdiff cannot tell a file from an empty one", oldName, newName)
	}
	tmp, err := os.MkdirTemp("", "delta-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	name := filepath.Join(tmp, "bsdiff")
	if out, err := exec.CommandContext(ctx, tool, oldName, newName, name).CombinedOutput(); err != nil {
		return fmt.Errorf("bsdiff %s %s: %w: %s", oldName, newName, err, strings.TrimSpace(string(out)))
	}
	patch, size, err := open(name)
	if err != nil {
		return err
	}
	defer patch.Close()
	b, err := openBSDiff(patch, size)
	if err != nil {
		return err
	}
	result, err := os.Create(filepath.Join(tmp, "delta"))
	if err != nil {
		return err
	}
	defer result.Close()
	if err := b.transcode(result, oldSize); err != nil {
		return err
	}
	if _, err := result.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := Patch(&comparer{want: fresh}, old, oldSize, result, newSize); err != nil {
		return fmt.Errorf("applying the delta from %s to %s: %w", oldName, newName, err)
	}
	if _, err := result.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(w, result)
	return err
}

func open(name string) (*os.File, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

// comparer takes what is the same as what want has.
type comparer struct {
	want io.Reader
	buf  []byte
}

func (c *comparer) Write(b []byte) (int, error) {
	c.buf = append(c.buf[:0], b...)
	if _, err := io.ReadFull(c.want, c.buf); err != nil {
		return 0, noEOF(err)
	}
	if !bytes.Equal(b, c.buf) {
		return 0, errors.New("it makes another file")
	}
	return len(b), nil
}
