package config

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// structure is one of an SMBIOS table, with its strings.
func structure(kind byte, formatted int, strs ...string) string {
	s := string([]byte{kind, byte(4 + formatted), 0x12, 0x34}) + strings.Repeat("\x01", formatted)
	for _, t := range strs {
		s += t + "\x00"
	}
	if len(strs) == 0 {
		s += "\x00"
	}
	return s + "\x00"
}

var endStructure = structure(endOfTable, 0)

func TestCredential(t *testing.T) {
	bios, other := structure(0, 20, "SeaBIOS", "1.16"), structure(4, 44)
	text, binary := credentialText+good, credentialBase64+base64.StdEncoding.EncodeToString([]byte(better))
	for name, c := range map[string]struct {
		table, want, fault string
	}{
		"no table":       {},
		"no strings":     {table: bios + other + endStructure},
		"other strings":  {table: bios + structure(oemStrings, 1, "vendor", "io.systemd.credential:other=x", "io.systemd.credential:truechimer.tomlx=y") + endStructure},
		"text":           {table: bios + structure(oemStrings, 1, "vendor", text) + other + endStructure, want: good},
		"Base64":         {table: bios + structure(oemStrings, 1, binary), want: better},
		"no padding":     {table: structure(oemStrings, 1, strings.TrimRight(binary, "=")), want: better},
		"wrapped":        {table: structure(oemStrings, 1, binary[:60]+"\n "+binary[60:]+"\n"), want: better},
		"the first":      {table: structure(oemStrings, 1, text) + structure(oemStrings, 1, binary), want: good},
		"behind the end": {table: bios + endStructure + structure(oemStrings, 1, text)},
		"of other kinds": {table: structure(12, 1, text) + endStructure},
		"no end":         {table: bios + structure(oemStrings, 1, text), want: good},
		"end cut short":  {table: bios + "\x7f\x04\x00\x00"},
		"not Base64":     {table: structure(oemStrings, 1, credentialBase64+"a*b"), fault: "not Base64"},
		"cut short":      {table: strings.TrimRight(bios+structure(oemStrings, 1, text), "\x00"), fault: "cut short"},
		"cut in a head":  {table: bios + "\x0b\x05", fault: "damaged"},
		"short length":   {table: "\x0b\x03\x00\x00" + text, fault: "damaged"},
		"long length":    {table: "\x0b\xff\x00\x00" + text, fault: "damaged"},
		"too large":      {table: strings.Repeat(other, MaxTable/len(other)+1), fault: "more than 262144 bytes"},
	} {
		got, err := Credential([]byte(c.table))
		if string(got) != c.want || (got == nil) != (c.want == "") {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: got %v, want %q", name, err, c.fault)
		}
	}
	if got, err := Credential([]byte(structure(oemStrings, 1, credentialText))); got == nil || err != nil {
		t.Errorf("an empty file is no file: %q, %v", got, err)
	}
}

func FuzzCredential(f *testing.F) {
	f.Add([]byte(structure(0, 20, "BIOS") + structure(oemStrings, 1, "a", credentialText+"x") + endStructure))
	f.Add([]byte(structure(oemStrings, 1, credentialBase64+"bmFtZSA9IDE=")))
	f.Add([]byte("\x0b\xff\x00"))
	f.Fuzz(func(t *testing.T, table []byte) {
		got, err := Credential(table)
		if got != nil && err != nil {
			t.Errorf("%q with %v", got, err)
		}
		if got != nil && !bytes.Contains(table, []byte("truechimer.toml=")) {
			t.Errorf("%q came from nowhere", got)
		}
	})
}
