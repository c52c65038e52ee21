package main

import (
	"errors"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	extraList = "etc/truechimer/extra" // below the root; one program a line
	// A builder's image has no more programs and no longer list; whatever is
	// beyond is not started, so that the appliance always is.
	maxExtras    = 16
	maxExtraList = 4 << 10 // bytes
)

var extraPath = regexp.MustCompile(`^/user/[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// extraPrograms are the programs that a builder added to the image: those of
// its list that are there. A release has none.
func extraPrograms(root string) []string {
	b, err := os.ReadFile(filepath.Join(root, extraList))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || len(b) > maxExtraList {
		log.Printf("further programs are not started: the list has %d bytes, %v", len(b), err)
		return nil
	}
	var list []string
	for _, path := range strings.Fields(string(b)) {
		st, err := os.Stat(filepath.Join(root, path))
		switch {
		case len(list) == maxExtras:
			log.Printf("%.80s and what follows it are not started: %d further programs are", path, maxExtras)
			return list
		case !extraPath.MatchString(path) || path == "/user/appliance":
			log.Printf("%.80q is not started: no program of a builder's", path)
		case err != nil || !st.Mode().IsRegular():
			log.Printf("%s is not started: it is not there, %v", path, err)
		default:
			list = append(list, path)
		}
	}
	return list
}
