package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The facts of doc/json-schema/os-list-schema.json in
// github.com/raspberrypi/rpi-imager at 2.0.11: required fields and their types.
// "imager" takes no other fields than those named there; an OS entry takes any.
var (
	imagerFields   = []string{"latest_version", "refresh_interval_minutes", "refresh_jitter_minutes", "url", "default_os", "embedded_default_os", "embedded_default_destination", "devices"}
	deviceRequired = map[string]string{"name": "string", "description": "string", "tags": "array"}
	osRequired     = map[string]string{
		"name": "string", "description": "string", "icon": "string", "url": "string", "extract_size": "integer", "extract_sha256": "string",
		"image_download_size": "integer", "release_date": "string", "devices": "array",
	}
	osOptional = map[string]string{"init_format": "string", "architecture": "string", "website": "string", "image_download_sha256": "string"}
	initFormat = []string{"", "systemd", "cloudinit", "cloudinit-rpi", "rpi-preseed", "none"}
	processor  = []string{"armel", "armhf", "armv8"}
)

func kind(v any) string {
	switch v := v.(type) {
	case string:
		return "string"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
	case []any:
		return "array"
	}
	return fmt.Sprintf("%T", v)
}

func fields(t *testing.T, what string, have map[string]any, required, optional map[string]string) {
	t.Helper()
	for name, want := range required {
		if got := kind(have[name]); got != want {
			t.Errorf("%s: %s is %s, want %s", what, name, got, want)
		}
	}
	for name, v := range have {
		if want := required[name] + optional[name]; kind(v) != want {
			t.Errorf("%s: %s is %s, want %q", what, name, kind(v), want)
		}
	}
}

func TestImagerList(t *testing.T) {
	r := small(t)
	for url, base := range map[string]string{"": "", "https://example.org/get/1.2.3": "https://example.org/get/1.2.3/", "https://example.org/": "https://example.org/"} {
		r.URL = url
		var log strings.Builder
		r.Log = func(format string, args ...any) { fmt.Fprintf(&log, format+"\n", args...) }
		files := write(t, r)
		if said := strings.Contains(log.String(), "-url"); said != (url == "") {
			t.Errorf("%q: it says %q", url, &log)
		}
		var list map[string]any
		if err := json.Unmarshal(files["imager.json"], &list); err != nil {
			t.Fatal(err)
		}
		if len(list) != 2 {
			t.Errorf("the list has %d fields", len(list))
		}
		tags := checkImager(t, list["imager"].(map[string]any))
		entries := list["os_list"].([]any)
		if len(entries) != 1 {
			t.Fatalf("%d entries", len(entries))
		}
		checkOS(t, entries[0].(map[string]any), tags, base, files)
	}
}

func checkImager(t *testing.T, self map[string]any) (tags []string) {
	t.Helper()
	for name := range self {
		if !slices.Contains(imagerFields, name) {
			t.Errorf("imager takes no %s", name)
		}
	}
	for _, d := range self["devices"].([]any) {
		d := d.(map[string]any)
		fields(t, "device", d, deviceRequired, map[string]string{"matching_type": "string", "architecture": "string"})
		for _, tag := range d["tags"].([]any) {
			tags = append(tags, tag.(string))
		}
		if a := d["architecture"].(string); !slices.Contains(processor, a) {
			t.Errorf("architecture %s", a)
		}
	}
	return tags
}

func checkOS(t *testing.T, os map[string]any, tags []string, base string, files map[string][]byte) {
	t.Helper()
	fields(t, "os", os, osRequired, osOptional)
	file, ok := strings.CutPrefix(os["url"].(string), base)
	small := files[file]
	if !ok || small == nil || !strings.HasSuffix(file, ".img.xz") {
		t.Fatalf("url %s", os["url"])
	}
	plain := unpack(t, small)
	for name, want := range map[string]any{
		"extract_size": float64(len(plain)), "extract_sha256": fmt.Sprintf("%x", sha256.Sum256(plain)),
		"image_download_size": float64(len(small)), "image_download_sha256": fmt.Sprintf("%x", sha256.Sum256(small)),
		"release_date": "2026-12-25", "website": "https://example.org/station",
	} {
		if os[name] != want {
			t.Errorf("%s is %v, want %v", name, os[name], want)
		}
	}
	if _, err := time.Parse(time.DateOnly, os["release_date"].(string)); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"extract_sha256", "image_download_sha256"} {
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(os[name].(string)) {
			t.Errorf("%s is %v", name, os[name])
		}
	}
	if !slices.Contains(initFormat, os["init_format"].(string)) || os["init_format"] != "rpi-preseed" || !slices.Contains(processor, os["architecture"].(string)) {
		t.Errorf("init_format %v, architecture %v", os["init_format"], os["architecture"])
	}
	icon, ok := strings.CutPrefix(os["icon"].(string), base)
	if !ok || !bytes.HasPrefix(files[icon], []byte("\x89PNG")) {
		t.Errorf("icon %v", os["icon"])
	}
	// Each tag is a device's, and each device has one.
	var named []string
	for _, tag := range os["devices"].([]any) {
		named = append(named, tag.(string))
		if !slices.Contains(tags, tag.(string)) {
			t.Errorf("no device has the tag %v", tag)
		}
	}
	for _, tag := range tags {
		if !slices.Contains(named, tag) {
			t.Errorf("the image is not for %s", tag)
		}
	}
}
