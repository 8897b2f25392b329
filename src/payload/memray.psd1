@{
    Name    = 'memray'
    Version = '1.20.0'
    License = 'Apache-2.0'
    # By machine: the published wheel of each CPython, its SHA-256, and whether its payload is held to live processes by
    # the tests.
    Wheels  = @{
        x86_64 = @{
            cp39  = @{ Sha256 = '8001648aeabd15235337b907a61bc8f26483633057dc987199f50a8977a72d7e'; Proven = $true }
            cp310 = @{ Sha256 = 'e430f8f8533d17bbf45ad0e0c2f16c0e0b767729234771b06745670b61ea5f26'; Proven = $false }
            cp311 = @{ Sha256 = '53231e49d55b10ac10ac8739a2592230f0794320892756f957e0026f99f38618'; Proven = $true }
            cp312 = @{ Sha256 = '57981abd8c526d4375c7f640a9d27d5e319b888e79b51688a8fae2f947fe8294'; Proven = $false }
            cp313 = @{ Sha256 = 'd2f3f681ce8acd713a7216d6c362387e70122527e741685e82f85cfdf6aedf0b'; Proven = $true }
            cp314 = @{ Sha256 = '37bc107afee942f162d30160dfd7f28c2b989251c574570f2f920f5bbbb323e4'; Proven = $true }
            cp315 = @{ Sha256 = 'b71fe846cbabce7f33017ac94ba2f157b39e22dbc4f723aad0407dd38520f855'; Proven = $true }
        }
    }
    # Where the wheel of a CPython cannot be had: Debian's package of the same version, first, and what it needs,
    # among it a C++ runtime newer than the one below. It asks for a glibc as new as its own.
    Debian  = @{
        x86_64 = @{
            cp314 = @(
                @{
                    Path   = 'pool/main/p/python-memray'
                    File   = 'python3-memray_1.20.0+dfsg-2_amd64.deb'
                    Sha256 = 'e87cd528d4f241c2c21c96b64c2ad117d832dc31820fee917f6abffe3c9bed72'
                }
                @{
                    Path   = 'pool/main/libu/libunwind'
                    File   = 'libunwind8_1.8.1-0.4_amd64.deb'
                    Sha256 = 'aee9cb6fd8e298d52c398eabea640e0a49b198d77c0e6df34e69ed97e255b9b3'
                }
                @{
                    Path   = 'pool/main/x/xz-utils'
                    File   = 'liblzma5_5.8.4-1_amd64.deb'
                    Sha256 = '2dd166f61cb2a32c50f1a4dd3cd34f5f18a4ff97a6ff23665b9a57537fd60625'
                }
                @{
                    Path   = 'pool/main/l/lz4'
                    File   = 'liblz4-1_1.10.0-10_amd64.deb'
                    Sha256 = '069d0349906af0335de6cb6a4132f0ac45c1e1db0dffffdcb5b1d291f8f6a66f'
                }
                @{
                    Path   = 'pool/main/x/xxhash'
                    File   = 'libxxhash0_0.8.3-2+b2_amd64.deb'
                    Sha256 = '3dc2a55daf655f3c07df99b2be4cb7eea6b79089e66407f6739fe40c267907c4'
                }
                @{
                    Path   = 'pool/main/g/gcc-16'
                    File   = 'libstdc++6_16.2.0-4_amd64.deb'
                    Sha256 = 'cef6654bba1daece0bc0dbe0e3f69fa5a26eb6ba139f3536e6f4806bd787f3e7'
                }
                @{
                    Path   = 'pool/main/g/gcc-16'
                    File   = 'libgcc-s1_16.2.0-4_amd64.deb'
                    Sha256 = 'd251ea642c3795e8723ac2b9eeebe511467ca04590ba70f3d555a7616787d7e3'
                }
                @{
                    Path   = 'pool/main/g/gcc-16'
                    File   = 'gcc-16-base_16.2.0-4_amd64.deb'
                    Sha256 = 'b81ebc677d1e2c4c0db8b3968f29addc18839d173a35366958fa815f3c5d1184'
                }
            )
        }
    }
    File    = 'memray-1.20.0-{1}-{1}-manylinux2014_{0}.manylinux_2_17_{0}.whl'
    # The C++ runtime for images without one, of a release old enough for every glibc from 2.18 on.
    Runtime = @{
        x86_64 = @(
            @{
                Path   = 'pool/main/g/gcc-10'
                File   = 'libstdc++6_10.2.1-6_amd64.deb'
                Sha256 = '5c155c58935870bf3b4bfe769116841c0d286a74f59eccfd5645693ac23f06b1'
            }
            @{
                Path   = 'pool/main/g/gcc-10'
                File   = 'libgcc-s1_10.2.1-6_amd64.deb'
                Sha256 = 'e478f2709d8474165bb664de42e16950c391f30eaa55bc9b3573281d83a29daf'
            }
            @{
                Path   = 'pool/main/g/gcc-10'
                File   = 'gcc-10-base_10.2.1-6_amd64.deb'
                Sha256 = 'be65535e94f95fbf04b104e8ab36790476f063374430f7dfc6c516cbe2d2cd1e'
            }
        )
    }
}
