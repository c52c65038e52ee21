package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// moduleDirs says where the module cache holds modules pinned in go.mod,
// downloading what is missing.
func moduleDirs(ctx context.Context, paths ...string) (map[string]string, error) {
	out, failed := goTool(ctx, nil, append([]string{"mod", "download", "-json"}, paths...)...)
	dirs := make(map[string]string)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Dir, Error string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go mod download: %w", errors.Join(err, failed))
		}
		if m.Error != "" {
			return nil, fmt.Errorf("module %s: %s", m.Path, m.Error)
		}
		dirs[m.Path] = m.Dir
	}
	if failed != nil {
		return nil, failed
	}
	for _, p := range paths {
		if dirs[p] == "" {
			return nil, fmt.Errorf("module %s is not pinned in go.mod", p)
		}
	}
	return dirs, nil
}

// goTool runs the go command and returns what it prints, also where it fails.
func goTool(ctx context.Context, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("go is not in the PATH; install Go 1.26 or newer")
	}
	if err != nil {
		return out, fmt.Errorf("go %s: %w\n%s", strings.Join(args[:min(3, len(args))], " "), err, stderr.Bytes())
	}
	return out, nil
}

// compile builds packages for a board's processor into dir. The result depends
// on the sources alone: no paths, no time stamps, no version control state.
func compile(ctx context.Context, goarch string, e edition, dir string, pkgs ...string) error {
	tags := "station"
	if e.fast {
		tags += ",updatetest"
	}
	env := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + goarch, "GOFLAGS=-buildvcs=false",
		// What a builder may have set for programs of his own.
		"GOARM64=v8.0", "GOAMD64=v1", "GOEXPERIMENT="}
	_, err := goTool(ctx, env,
		append([]string{"build", "-trimpath", "-tags=" + tags, "-ldflags=-s -w -buildid= -X main.version=" + e.version, "-o", dir + "/"}, pkgs...)...)
	return err
}

// licences finds the licence texts of Go itself, of this module, of every
// module linked into the programs, and of the modules whose files are in the
// image: path in the image to file.
func licences(ctx context.Context, programs, others []string) (map[string]string, error) {
	want := make(map[string]bool)
	for _, m := range others {
		want[m] = true
	}
	for _, p := range programs {
		info, err := buildinfo.ReadFile(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		for _, m := range append(info.Deps, &info.Main) {
			want[m.Path] = true
		}
	}
	ownPath, ownDir, err := mainModule(ctx)
	if err != nil {
		return nil, err
	}
	delete(want, ownPath) // it is not in the module cache
	var paths []string
	for m := range want {
		paths = append(paths, m)
	}
	dirs, err := moduleDirs(ctx, paths...)
	if err != nil {
		return nil, err
	}
	dirs[ownPath] = ownDir
	goroot, err := goTool(ctx, nil, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	dirs["go"] = strings.TrimSpace(string(goroot))
	return licenceFiles(dirs)
}

// licenceFiles are the texts of components by their directories, each of which has to
// have one: path in the image to file.
func licenceFiles(dirs map[string]string) (map[string]string, error) {
	files := make(map[string]string)
	for name, dir := range dirs {
		texts, err := licenceTexts(dir)
		if err != nil {
			return nil, err
		}
		if len(texts) == 0 {
			return nil, fmt.Errorf("%s has no licence file: it must not be shipped", name)
		}
		for _, t := range texts {
			files[licenceDir+name+"/"+filepath.Base(t)] = t
		}
	}
	return files, nil
}

// mainModule is the one in whose directory all this runs.
func mainModule(ctx context.Context) (path, dir string, err error) {
	out, err := goTool(ctx, nil, "list", "-m", "-f", "{{.Path}} {{.Dir}}")
	path, dir, _ = strings.Cut(strings.TrimSpace(string(out)), " ")
	return path, dir, err
}

// licenceTexts are the files of a module's root that hold its licence, not
// source files about licences.
func licenceTexts(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, f := range files {
		name := strings.ToUpper(f.Name())
		for _, stem := range []string{"LICENSE", "LICENCE", "COPYING", "NOTICE"} {
			if strings.HasPrefix(name, stem) && !strings.HasSuffix(name, ".GO") && f.Type().IsRegular() {
				texts = append(texts, filepath.Join(dir, f.Name()))
			}
		}
	}
	return texts, nil
}
