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
    File    = 'memray-1.20.0-{1}-{1}-manylinux2014_{0}.manylinux_2_17_{0}.whl'
    # The C++ runtime for images without one, of a release old enough for every glibc from 2.18 on.
    Runtime = @{
        x86_64 = @{
            Path     = 'pool/main/g/gcc-10'
            Packages = @(
                @{
                    File   = 'libstdc++6_10.2.1-6_amd64.deb'
                    Sha256 = '5c155c58935870bf3b4bfe769116841c0d286a74f59eccfd5645693ac23f06b1'
                }
                @{
                    File   = 'libgcc-s1_10.2.1-6_amd64.deb'
                    Sha256 = 'e478f2709d8474165bb664de42e16950c391f30eaa55bc9b3573281d83a29daf'
                }
                @{
                    File   = 'gcc-10-base_10.2.1-6_amd64.deb'
                    Sha256 = 'be65535e94f95fbf04b104e8ab36790476f063374430f7dfc6c516cbe2d2cd1e'
                }
            )
            Folder   = '/usr/lib/x86_64-linux-gnu'
        }
    }
}
