import { generate } from "selfsigned";

/**
 * A transport socket that ends TLS with a certificate of its own and offers protocols through ALPN.
 * @returns the socket for a filter chain, and the certificate for clients to trust
 */
export async function tlsSocket(alpn: string[]): Promise<{ socket: unknown; ca: string }> {
  const { private: key, cert } = await generate([{ name: "commonName", value: "localhost" }], {
    keySize: 2048,
    algorithm: "sha256",
  });
  const socket = {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      common_tls_context: {
        alpn_protocols: alpn,
        tls_certificates: [
          { certificate_chain: { inline_string: cert }, private_key: { inline_string: key } },
        ],
      },
    },
  };
  return { socket, ca: cert };
}
