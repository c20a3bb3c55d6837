package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/ipfs/boxo/bitswap/network"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	libp2pnet "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

type hostFlags struct {
	security  string
	keyType   string
	protocols string
}

func (f *hostFlags) register(flags *flag.FlagSet) {
	flags.StringVar(&f.security, "security", "both", "tls, noise or both")
	flags.StringVar(&f.keyType, "key", "ed25519", "identity: ed25519, rsa, secp256k1 or ecdsa")
	flags.StringVar(&f.protocols, "protocols", "", "Bitswap protocol ids, comma separated (default: all that boxo knows)")
}

// loopbackOnly refuses every connection that would leave this machine.
type loopbackOnly struct{}

func isLoopback(address ma.Multiaddr) bool { return manet.IsIPLoopback(address) }

func (loopbackOnly) InterceptPeerDial(peer.ID) bool                      { return true }
func (loopbackOnly) InterceptAddrDial(_ peer.ID, addr ma.Multiaddr) bool { return isLoopback(addr) }
func (loopbackOnly) InterceptAccept(conn libp2pnet.ConnMultiaddrs) bool {
	return isLoopback(conn.RemoteMultiaddr())
}
func (loopbackOnly) InterceptSecured(libp2pnet.Direction, peer.ID, libp2pnet.ConnMultiaddrs) bool {
	return true
}
func (loopbackOnly) InterceptUpgraded(libp2pnet.Conn) (bool, control.DisconnectReason) {
	return true, 0
}

func newIdentity(keyType string) (crypto.PrivKey, error) {
	kinds := map[string]int{
		"ed25519": crypto.Ed25519, "rsa": crypto.RSA, "secp256k1": crypto.Secp256k1, "ecdsa": crypto.ECDSA,
	}
	kind, known := kinds[keyType]
	if !known {
		return nil, fmt.Errorf("unknown key type %q", keyType)
	}
	key, _, err := crypto.GenerateKeyPairWithReader(kind, 2048, rand.Reader)
	return key, err
}

func newHost(settings hostFlags, listen string) (host.Host, error) {
	key, err := newIdentity(settings.keyType)
	if err != nil {
		return nil, err
	}
	options := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.UserAgent("bitswap-peer"),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ConnectionGater(loopbackOnly{}),
		// kubo has no limits per protocol either; go-libp2p's own reset a busy server's streams (one for each
		// message), and a block lost that way is asked for again after 15 s.
		libp2p.ResourceManager(&libp2pnet.NullResourceManager{}),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
	}
	if settings.security != "tls" && settings.security != "noise" && settings.security != "both" {
		return nil, fmt.Errorf("unknown security %q", settings.security)
	}
	if settings.security != "noise" {
		options = append(options, libp2p.Security(libp2ptls.ID, libp2ptls.New))
	}
	if settings.security != "tls" {
		options = append(options, libp2p.Security(noise.ID, noise.New))
	}
	if listen == "" {
		return libp2p.New(append(options, libp2p.NoListenAddrs)...)
	}
	address, err := listenAddress(listen)
	if err != nil {
		return nil, err
	}
	return libp2p.New(append(options, libp2p.ListenAddrs(address))...)
}

func listenAddress(hostPort string) (ma.Multiaddr, error) {
	endpoint, err := net.ResolveTCPAddr("tcp", hostPort)
	if err != nil {
		return nil, err
	}
	if !endpoint.IP.IsLoopback() {
		return nil, fmt.Errorf("%s is not a loopback address", hostPort)
	}
	return manet.FromNetAddr(endpoint)
}

func newNetwork(node host.Host, settings hostFlags) network.BitSwapNetwork {
	if settings.protocols == "" {
		return bsnet.NewFromIpfsHost(node)
	}
	ids := make([]protocol.ID, 0, 4)
	for _, id := range strings.Split(settings.protocols, ",") {
		ids = append(ids, protocol.ID(id))
	}
	return bsnet.NewFromIpfsHost(node, bsnet.SupportedProtocols(ids))
}

// connect dials a multiaddr that ends in /p2p/ID; the returned context is cancelled when that peer is gone.
func connect(ctx context.Context, node host.Host, address string) (context.Context, *peer.AddrInfo, error) {
	info, err := peer.AddrInfoFromString(address)
	if err != nil {
		return nil, nil, err
	}
	if err := node.Connect(ctx, *info); err != nil {
		return nil, nil, fmt.Errorf("cannot connect to %s: %w", address, err)
	}
	watched, cancel := context.WithCancelCause(ctx)
	node.Network().Notify(&libp2pnet.NotifyBundle{
		DisconnectedF: func(n libp2pnet.Network, conn libp2pnet.Conn) {
			if conn.RemotePeer() == info.ID && n.Connectedness(info.ID) != libp2pnet.Connected {
				cancel(fmt.Errorf("lost the connection to %s", info.ID))
			}
		},
	})
	if node.Network().Connectedness(info.ID) != libp2pnet.Connected {
		cancel(fmt.Errorf("lost the connection to %s", info.ID))
	}
	return watched, info, nil
}

func pingPeer(ctx context.Context, args []string) error {
	var settings hostFlags
	flags := flag.NewFlagSet("ping", flag.ExitOnError)
	settings.register(flags)
	address := flags.String("peer", "", "multiaddr ending in /p2p/ID")
	timeout := flags.Duration("timeout", 10*time.Second, "give up after this long")
	_ = flags.Parse(args)
	if *address == "" {
		return errors.New("ping needs --peer")
	}
	node, err := newHost(settings, "")
	if err != nil {
		return err
	}
	defer node.Close()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	ctx, info, err := connect(ctx, node, *address)
	if err != nil {
		return err
	}
	result := <-ping.Ping(ctx, node, info.ID)
	if result.Error != nil {
		return result.Error
	}
	agent, _ := node.Peerstore().Get(info.ID, "AgentVersion")
	protocols, _ := node.Peerstore().GetProtocols(info.ID)
	slices.Sort(protocols)
	report(map[string]any{
		"peer_id": info.ID, "seconds": result.RTT.Seconds(), "agent": agent, "protocols": protocols,
	})
	return nil
}
