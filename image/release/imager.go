package release

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"net/url"
	"strings"
	"time"
)

// ImagerVersion is the first Raspberry Pi Imager that asks a person for the
// settings that a station reads: the first that knows InitFormat.
const ImagerVersion = "2.0.11"

// InitFormat says how Imager hands over the settings: as rpi-preseed.toml on
// the boot volume.
const InitFormat = "rpi-preseed"

// What Imager's list consists of (doc/json-schema/os-list-schema.json of
// github.com/raspberrypi/rpi-imager).
type (
	imagerList struct {
		Imager imagerSelf `json:"imager"`
		OSList []imagerOS `json:"os_list"`
	}
	imagerSelf struct {
		Devices []imagerDevice `json:"devices"`
	}
	imagerDevice struct {
		Name         string   `json:"name"`
		Description  string   `json:"description"`
		Tags         []string `json:"tags"`
		MatchingType string   `json:"matching_type"`
		Architecture string   `json:"architecture"`
	}
	imagerOS struct {
		Name           string   `json:"name"`
		Description    string   `json:"description"`
		Icon           string   `json:"icon"`
		URL            string   `json:"url"`
		ExtractSize    int64    `json:"extract_size"`
		ExtractSHA256  string   `json:"extract_sha256"`
		DownloadSize   int64    `json:"image_download_size"`
		DownloadSHA256 string   `json:"image_download_sha256"`
		ReleaseDate    string   `json:"release_date"`
		InitFormat     string   `json:"init_format"`
		Devices        []string `json:"devices"`
		Architecture   string   `json:"architecture"`
		Website        string   `json:"website"`
	}
)

// imagerDevices are the boards that the rpi image is for, with the tags that
// Imager's own list gives them, so that the two can be merged.
var imagerDevices = []imagerDevice{
	{"Raspberry Pi 5", "Raspberry Pi 5, 500 and Compute Module 5", []string{"pi5-64bit"}, "exclusive", "armv8"},
	{"Raspberry Pi 4", "Raspberry Pi 4 B, 400 and Compute Module 4", []string{"pi4-64bit"}, "exclusive", "armv8"},
	{"Raspberry Pi 3", "Raspberry Pi 3 B, 3 B+ and 3 A+", []string{"pi3-64bit"}, "exclusive", "armv8"},
	{"Raspberry Pi Zero 2 W", "Raspberry Pi Zero 2 W", []string{"pi3-64bit"}, "exclusive", "armv8"},
}

// imagerJSON is Imager's list with one image. base is the address that the
// files are published under, or empty.
func imagerJSON(i made, title, version string, date time.Time, base, website string) ([]byte, error) {
	var tags []string
	seen := make(map[string]bool)
	for _, d := range imagerDevices {
		for _, t := range d.Tags {
			if !seen[t] {
				seen[t] = true
				tags = append(tags, t)
			}
		}
	}
	return indented(imagerList{
		Imager: imagerSelf{Devices: imagerDevices},
		OSList: []imagerOS{{
			Name:        "truechimer " + version,
			Description: "An NTP monitoring station for " + title + ": judges the servers you name against its own GPS receiver",
			Icon:        base + IconFile,
			URL:         base + i.file,
			ExtractSize: i.plainSize, ExtractSHA256: i.plainSum,
			DownloadSize: i.packedSize, DownloadSHA256: i.packedSum,
			ReleaseDate: date.UTC().Format(time.DateOnly),
			InitFormat:  InitFormat, Devices: tags, Architecture: "armv8", Website: website,
		}},
	})
}

// checkBase makes a base address end with a slash. An empty one is returned as it is.
func checkBase(base string) (string, error) {
	if base == "" {
		return "", nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("-url %s: this is no address of a directory that files are published in; write one that begins with https://", base)
	}
	return strings.TrimSuffix(base, "/") + "/", nil
}

// IconFile is the name of the icon.
const IconFile = "truechimer.png"

// iconSize is what Imager shows, pixels on each side.
const iconSize = 40

// icon draws the face of a clock whose hands make a tick.
func icon() ([]byte, error) {
	img := image.NewNRGBA(image.Rect(0, 0, iconSize, iconSize))
	face, rim, hand := color.NRGBA{0x0f, 0x2a, 0x43, 0xff}, color.NRGBA{0x2f, 0xa3, 0x6b, 0xff}, color.NRGBA{0xff, 0xff, 0xff, 0xff}
	const centre = iconSize / 2.0
	for y := range iconSize {
		for x := range iconSize {
			px, py := float64(x)+0.5-centre, float64(y)+0.5-centre
			r := math.Hypot(px, py)
			c := mix(rim, face, 16.5-r)
			tick := min(toLine(px, py, -7, 0, -2, 6), toLine(px, py, -2, 6, 8, -7))
			c = mix(c, hand, 2.2-tick)
			c.A = uint8(255*clamp(19.5-r) + 0.5)
			img.SetNRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, img)
	return b.Bytes(), err
}

// toLine is the distance from a point to the line from a to b.
func toLine(px, py, ax, ay, bx, by float64) float64 {
	dx, dy := bx-ax, by-ay
	t := clamp(((px-ax)*dx + (py-ay)*dy) / (dx*dx + dy*dy))
	return math.Hypot(px-ax-t*dx, py-ay-t*dy)
}

func clamp(v float64) float64 { return max(0, min(1, v)) }

// mix is a where share is 0 or less, b where it is 1 or more: edges are smooth.
func mix(a, b color.NRGBA, share float64) color.NRGBA {
	s := clamp(share)
	part := func(x, y uint8) uint8 { return uint8(float64(x)*(1-s) + float64(y)*s + 0.5) }
	return color.NRGBA{part(a.R, b.R), part(a.G, b.G), part(a.B, b.B), 0xff}
}
