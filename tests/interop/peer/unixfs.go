package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/files"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	unixfile "github.com/ipfs/boxo/ipld/unixfs/file"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	uio "github.com/ipfs/boxo/ipld/unixfs/io"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
)

type importer struct {
	dag        ipld.DAGService
	cidVersion int
	chunk      int64
	maxLinks   int
}

// add imports a file, directory or symbolic link and returns its root.
func (im *importer) add(ctx context.Context, path string) (ipld.Node, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return im.addDirectory(ctx, path)
	case info.Mode()&os.ModeSymlink != 0:
		return im.addLink(ctx, path)
	case info.Mode().IsRegular():
		return im.addFile(path)
	}
	return nil, fmt.Errorf("%s is neither file, directory nor link", path)
}

func (im *importer) prefix() (cid.Builder, error) {
	prefix, err := merkledag.PrefixForCidVersion(im.cidVersion)
	return prefix, err
}

func (im *importer) addFile(path string) (ipld.Node, error) {
	prefix, err := im.prefix()
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	params := helpers.DagBuilderParams{
		Maxlinks: im.maxLinks, RawLeaves: im.cidVersion == 1, CidBuilder: prefix, Dagserv: im.dag,
	}
	builder, err := params.New(chunk.NewSizeSplitter(file, im.chunk))
	if err != nil {
		return nil, err
	}
	return balanced.Layout(builder)
}

func (im *importer) addLink(ctx context.Context, path string) (ipld.Node, error) {
	target, err := os.Readlink(path)
	if err != nil {
		return nil, err
	}
	data, err := unixfs.SymlinkData(target)
	if err != nil {
		return nil, err
	}
	node := merkledag.NodeWithData(data)
	prefix, err := im.prefix()
	if err != nil {
		return nil, err
	}
	if err := node.SetCidBuilder(prefix); err != nil {
		return nil, err
	}
	return node, im.dag.Add(ctx, node)
}

func (im *importer) addDirectory(ctx context.Context, path string) (ipld.Node, error) {
	prefix, err := im.prefix()
	if err != nil {
		return nil, err
	}
	directory, err := uio.NewDirectory(im.dag, uio.WithCidBuilder(prefix))
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		child, err := im.add(ctx, filepath.Join(path, entry.Name()))
		if err != nil {
			return nil, err
		}
		if err := directory.AddChild(ctx, entry.Name(), child); err != nil {
			return nil, err
		}
	}
	node, err := directory.GetNode()
	if err != nil {
		return nil, err
	}
	return node, im.dag.Add(ctx, node)
}

// writeOut writes what root names to path; blocks that are not there yet come through dag.
func writeOut(ctx context.Context, dag ipld.DAGService, root cid.Cid, path string) (int64, error) {
	node, err := dag.Get(ctx, root)
	if err != nil {
		return 0, err
	}
	tree, err := unixfile.NewUnixfsFile(ctx, dag, node)
	if err != nil {
		return 0, err
	}
	defer tree.Close()
	size, err := tree.Size()
	if err != nil {
		return 0, err
	}
	return size, files.WriteTo(tree, path)
}
