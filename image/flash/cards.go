package flash

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Cards writes one image to one card after another.
type Cards struct {
	System System
	Device string // device node
	Need   int64  // bytes a card must have
	Count  int    // cards to write, 1 or more

	Image func() (io.ReadCloser, int64, error) // opens the image anew; its size, 0 not known
	Open  func(name string) (Device, error)
	// In is where a person presses Enter; Say tells them something, a line;
	// Report is as a Job's.
	In     *bufio.Reader
	Say    func(format string, args ...any)
	Report func(Step)
	Now    func() time.Time
	// Sleep waits, or returns the error that ended the waiting.
	Sleep func(context.Context, time.Duration) error
}

// Write writes the cards. It asks for each after the first.
func (c Cards) Write(ctx context.Context) error {
	if c.Count < 1 {
		return fmt.Errorf("%d cards; write 1 or more", c.Count)
	}
	medium := ""
	for n := 1; n <= c.Count; n++ {
		t, err := c.next(ctx, n, medium)
		if err != nil {
			return err
		}
		medium = c.System.Medium(t)
		if err := c.one(ctx, t, n); err != nil {
			return err
		}
	}
	return nil
}

// next finds the card to be written as the nth; it differs from the medium
// before it.
func (c Cards) next(ctx context.Context, n int, before string) (Target, error) {
	if n == 1 {
		return c.System.Find(c.Device, c.Need)
	}
	for {
		c.Say("card %d of %d: change the card in %s, then press Enter", n, c.Count, c.Device)
		if _, err := c.In.ReadString('\n'); err != nil {
			if err == io.EOF {
				err = errors.New("nobody pressed Enter")
			}
			return Target{}, fmt.Errorf("%w: %d of %d cards are written", err, n-1, c.Count)
		}
		t, err := c.settle(ctx, before)
		refusal, refused := errors.AsType[*Refusal](err)
		switch {
		case refused:
			c.Say("%v", refusal) // a person may put it right
		case err != nil:
			return Target{}, err
		case c.same(t, before):
			c.Say("this is the card that was just written")
		default:
			return t, nil
		}
	}
}

// same says whether the medium is the one before. Where the system cannot tell,
// the person is believed.
func (c Cards) same(t Target, before string) bool {
	return before != "" && c.System.Medium(t) == before
}

// settle waits for the system to notice a card that was just put in, for ten
// seconds at the most: it looks every two.
func (c Cards) settle(ctx context.Context, before string) (Target, error) {
	for try := 0; ; try++ {
		t, err := c.System.Find(c.Device, c.Need)
		_, refused := errors.AsType[*Refusal](err)
		if try == 10 || err != nil && !refused || err == nil && !c.same(t, before) {
			return t, err
		}
		if err := c.Sleep(ctx, time.Second); err != nil {
			return t, err
		}
	}
}

func (c Cards) one(ctx context.Context, t Target, n int) (err error) {
	image, size, err := c.Image()
	if err != nil {
		return err
	}
	defer image.Close()
	d, err := c.Open(t.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	// Between the look at it and the opening somebody may have mounted it;
	// opened as it is now, nobody can.
	if _, err := c.System.Find(c.Device, c.Need); err != nil {
		return err
	}
	c.Say("card %d of %d: everything on %s (%s, %.1f GB) will be gone", n, c.Count, t.Name, orUnnamed(t.Model), float64(t.Size)/1e9)
	w, err := Job{Image: image, Total: size, Now: c.Now, Report: c.Report}.Write(ctx, d)
	if err != nil {
		return err
	}
	c.Say("card %d of %d: written and verified, %d bytes, sha256 %x", n, c.Count, w.Size, w.SHA)
	return nil
}

func orUnnamed(model string) string {
	if model == "" {
		return "unnamed"
	}
	return model
}
