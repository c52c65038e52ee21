//go:build browser

package browsertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	browserdomain "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// TestRestore seals the settings of one station into a file, and gives them to
// another one.
func TestRestore(t *testing.T) {
	t.Parallel()
	const mine, passphrase = "127.0.0.1:12399", "sealed with words"
	dir := t.TempDir()
	first, second := startStation(t, nil, "-sim"), startStation(t, nil, "-sim")
	b := open(t) // ends before they do
	b.downloads(dir)

	b.enterSecurely(first, "/claim")
	b.claim()
	b.enter("A server to watch", mine)
	b.press("Add it")
	b.press("Keep it")
	b.says(patience, "The change is kept and in force.")
	b.visit(first.secure + "/settings/backup")
	b.enter("A passphrase to seal the file with", passphrase)
	b.press("Download it, sealed")
	file := b.downloaded(dir)

	b.enterSecurely(second, "/claim")
	b.claim()
	choose := func(passphrase string) {
		t.Helper()
		b.visit(second.secure + "/settings/backup")
		b.enter("The passphrase of the file, if it is sealed", passphrase)
		b.do("choose the file", chromedp.SetUploadFiles(b.only(`//input[@type="file"]`), []string{file}))
		b.press("Look into it")
	}
	choose("another passphrase")
	b.says(patience, "This is not the passphrase of the backup.")
	b.forgive("422 (Unprocessable Entity)")
	choose(passphrase)
	b.heading("Is this what you want?")
	b.says(patience, mine)
	b.press("Keep it")
	b.says(patience, "The change is kept and in force.")
	b.visit(second.secure + "/details")
	b.says(patience, mine)
}

// downloads has what is downloaded put into a directory.
func (b *browser) downloads(dir string) {
	b.t.Helper()
	_, err := chromedp.CallBrowser(b.ctx, browserdomain.SetDownloadBehavior, browserdomain.SetDownloadBehaviorParams{
		Behavior:         browserdomain.SetDownloadBehaviorBehaviorAllow,
		BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
		DownloadPath:     dir,
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// downloaded waits for the one file that was downloaded.
func (b *browser) downloaded(dir string) string {
	b.t.Helper()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for range patience / look {
		list, err := os.ReadDir(dir)
		if err != nil {
			b.t.Fatal(err)
		}
		// Chromium gives it its name when it is complete.
		if len(list) == 1 && strings.HasSuffix(list[0].Name(), ".age") {
			return filepath.Join(dir, list[0].Name())
		}
		<-tick.C
	}
	b.t.Fatal("nothing was downloaded")
	return ""
}
