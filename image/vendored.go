package main

import (
	"context"
	"path/filepath"

	"github.com/truechimer/truechimer/image/release"
)

// vendored is what this module has of others in files of its own. It is linked into a
// program, which does not tell.
type vendored struct {
	release.Component
	dir string // in this module; its licence is in it
}

// vendoredParts are all there are.
var vendoredParts = []vendored{{
	release.Component{
		Kind: release.NPM, Name: "uplot", Version: "1.6.32", Files: []string{"root:/user/appliance"},
		// Of the package, as the npm registry tells it (dist.integrity).
		Sum: "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
	},
	"appliance/web/assets/uplot",
}}

// vendoredLicences are their texts: path in the image to file.
func vendoredLicences(ctx context.Context) (map[string]string, error) {
	_, module, err := mainModule(ctx)
	if err != nil {
		return nil, err
	}
	dirs := make(map[string]string)
	for _, v := range vendoredParts {
		dirs[v.Name] = filepath.Join(module, filepath.FromSlash(v.dir))
	}
	return licenceFiles(dirs)
}
