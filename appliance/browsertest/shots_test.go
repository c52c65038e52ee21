//go:build browser

package browsertest

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	phoneWidth, phoneHeight = 360, 740
	deskWidth, deskHeight   = 1000, 960
	detailsHeight           = 1500
	pastHeight              = 1340
	settingsWidth           = 760
	settingsHeight          = 1120
	maxShot                 = 150 << 10 // bytes of a picture
)

// TestScreenshots writes the pictures of docs/, when it is told to.
func TestScreenshots(t *testing.T) {
	if *shots == "" {
		t.Skip("-shots DIR writes them")
	}
	s := startStation(t, nil, "-sim")
	b := open(t)
	b.visit(s.plain + "/details")
	// Verdicts, and a stretch of pulses to plot.
	b.row(2*time.Minute, "ahead", "off")
	b.row(time.Minute, "right-1", "ok")
	// A stretch of pulses to plot: the page counts them.
	b.until(3*time.Minute, `/(9[0-9]|1[0-9][0-9]) pulses in the last/.test(document.body.innerText)`)
	for name, c := range map[string]struct {
		path, scheme  string
		width, height int64
	}{
		"page.png":         {"/", light, deskWidth, deskHeight},
		"page-dark.png":    {"/", dark, deskWidth, deskHeight},
		"page-phone.png":   {"/", light, phoneWidth, phoneHeight},
		"details.png":      {"/details", light, deskWidth, detailsHeight},
		"servers-dark.png": {"/details#servers", dark, deskWidth, deskHeight},
	} {
		b.shoot(name, s.plain+c.path, c.scheme, c.width, c.height)
	}
}

// TestScreenshotsOfPast writes those of how the reference was.
func TestScreenshotsOfPast(t *testing.T) {
	if *shots == "" {
		t.Skip("-shots DIR writes them")
	}
	s := startStation(t, nil, "-sim", "-journal", withPast(t))
	b := open(t)
	b.visit(s.plain + "/details")
	b.says(patience, "How it was")
	b.shoot("reference.png", s.plain+"/reference?span=week", light, deskWidth, pastHeight)
}

// TestScreenshotsOfNetwork writes those of the pages on which a device's network is
// changed.
func TestScreenshotsOfNetwork(t *testing.T) {
	if *shots == "" {
		t.Skip("-shots DIR writes them")
	}
	d := newDevice(t)
	b := visit(t, d.c.servers.chromium())
	d.at(leased(77))
	b.enterSecurely(d.station, "/claim")
	b.claim()
	b.shoot("settings-network.png", d.secure+"/settings/network", light, settingsWidth, settingsHeight)
	b.shoot("settings-network-dark.png", d.secure+"/settings/network", dark, settingsWidth, settingsHeight)
	b.shoot("settings-network-phone.png", d.secure+"/settings/network", light, phoneWidth, settingsHeight)
	b.network(d, map[string]string{"IPv4 address": "192.168.77.9/24", "IPv4 router": serverAddress})
	b.press("Try it")
	b.heading(onTrial)
	b.shoot("settings-trial-phone.png", call(b, "where the trial is", chromedp.Location()), dark, phoneWidth, phoneHeight)
}

// shoot takes a picture of a page.
func (b *browser) shoot(name, address, scheme string, width, height int64) {
	b.t.Helper()
	b.dress(scheme)
	b.do("size", chromedp.EmulateViewport(width, height))
	b.visit(address)
	small, err := fewColours(call(b, name, chromedp.CaptureScreenshot()))
	if err != nil {
		b.t.Fatal(err)
	}
	if len(small) > maxShot {
		b.t.Errorf("%s has %d bytes, more than %d", name, len(small), maxShot)
	}
	if err := os.WriteFile(filepath.Join(*shots, name), small, 0o644); err != nil {
		b.t.Fatal(err)
	}
	b.t.Logf("%s: %d bytes", name, len(small))
}

// fewColours writes a picture anew with the 256 colours that it has most of, each
// other pixel in the nearest of them.
func fewColours(picture []byte) ([]byte, error) {
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, err
	}
	r := full.Bounds()
	count := map[color.RGBA]int{}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			count[color.RGBAModel.Convert(full.At(x, y)).(color.RGBA)]++
		}
	}
	all := make([]color.RGBA, 0, len(count))
	for c := range count {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.RGBA) int { return count[b] - count[a] })
	palette := color.Palette{}
	for _, c := range all[:min(len(all), 256)] {
		palette = append(palette, c)
	}
	out := image.NewPaletted(r, palette)
	draw.Draw(out, r, full, r.Min, draw.Src)
	var b bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out)
	return b.Bytes(), err
}
